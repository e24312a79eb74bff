-- Connections by authorization code (RFC 6749, section 4.1) that somebody has begun.
CREATE TABLE authorizations (
    -- SHA-256 over the state and the form token of the session that began it: another session's state is no state.
    key_hash   bytea       PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    person_id  uuid        NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    -- The code verifier, encrypted as tokens are.
    verifier   text        NOT NULL,
    scope      text        NOT NULL,
    -- Who has to sign the answer, and whether it says that it does.
    issuer     text        NOT NULL,
    names_issuer boolean NOT NULL,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '10 minutes'
);
CREATE INDEX authorizations_by_expiry ON authorizations (expires_at);

-- How a connection was made: only one of the user-token flow can be made again without the person.
ALTER TABLE connections
    ADD COLUMN flow text NOT NULL DEFAULT 'user_token' CHECK (flow IN ('user_token', 'authorization_code'));
