-- The authorization server: sessions of people at the server's own pages, what they are asked, what they answer,
-- and the codes that come of it; clients that register themselves; limits; the log of acts.

ALTER TABLE clients
    ADD COLUMN origin text NOT NULL DEFAULT 'administrator'
        CHECK (origin IN ('administrator', 'registration', 'metadata_document')),
    -- The one way in which the client proves who it is; NULL: any way that fits (a secret in header or body, or none).
    ADD COLUMN auth_method text CHECK (auth_method IN ('client_secret_basic', 'client_secret_post', 'none')),
    -- What it gets when it asks for nothing; NULL: the least, to read.
    ADD COLUMN default_scopes text[],
    -- The address of the client's metadata document, which is its client_id then.
    ADD COLUMN metadata_url text UNIQUE,
    -- When the document was last read.
    ADD COLUMN metadata_read_at timestamptz;
CREATE INDEX clients_not_by_administrators ON clients (created_at) WHERE origin <> 'administrator';

ALTER TABLE users
    ADD COLUMN display_name text,
    ADD COLUMN bio text,
    -- Whether the person may be found in the directory.
    ADD COLUMN is_listed boolean NOT NULL DEFAULT false;

CREATE INDEX users_superusers ON users (id) WHERE is_superuser;

CREATE TABLE sessions (
    -- SHA-256 of the cookie's 256 random bits.
    token_hash   bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

-- What a signed-in person is being asked. The values here are what they consent to, whatever the browser sends.
CREATE TABLE authorization_requests (
    id             uuid PRIMARY KEY,
    session_hash   bytea NOT NULL REFERENCES sessions (token_hash) ON DELETE CASCADE,
    user_id        uuid NOT NULL,
    client_id      uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    redirect_uri   text NOT NULL,
    -- Whether the client named the redirect URI, and so has to name it again at the token endpoint.
    redirect_uri_given boolean NOT NULL,
    scopes         text[] NOT NULL,
    -- Percent-encoded, exactly as it came.
    state          text,
    code_challenge text NOT NULL CHECK (length(code_challenge) = 43),
    audience       text NOT NULL,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX authorization_requests_session ON authorization_requests (session_hash);
CREATE INDEX authorization_requests_client ON authorization_requests (client_id);

CREATE TABLE authorization_codes (
    -- SHA-256 of 256 random bits.
    code_hash      bytea PRIMARY KEY CHECK (length(code_hash) = 32),
    user_id        uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id      uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    redirect_uri   text NOT NULL,
    redirect_uri_given boolean NOT NULL,
    scopes         text[] NOT NULL,
    code_challenge text NOT NULL CHECK (length(code_challenge) = 43),
    audience       text NOT NULL,
    expires_at     timestamptz NOT NULL,
    failed_tries   smallint NOT NULL DEFAULT 0,
    consumed_at    timestamptz,
    -- What it was exchanged for: a code that comes back ends it. Kept as long as that.
    grant_id       uuid REFERENCES grants (id) ON DELETE CASCADE,
    CHECK ((consumed_at IS NULL) = (grant_id IS NULL))
);
CREATE INDEX authorization_codes_user_client ON authorization_codes (user_id, client_id);
CREATE INDEX authorization_codes_client ON authorization_codes (client_id);
CREATE INDEX authorization_codes_grant ON authorization_codes (grant_id);

-- What a person has allowed a client on the consent page, by the host that codes went to. It also is what lets the
-- client name them in the user-token flow.
CREATE TABLE consents (
    user_id       uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id     uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    redirect_host text NOT NULL,
    scopes        text[] NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, client_id, redirect_host)
);
CREATE INDEX consents_client ON consents (client_id);

-- Counters of requests and of failed tries, shared by all replicas. Unlogged: a count needs no flush to disk, and
-- after a crash of PostgreSQL all windows begin anew.
CREATE UNLOGGED TABLE rate_limits (
    -- SHA-256 of what is counted, for whom and from where.
    subject      bytea PRIMARY KEY CHECK (length(subject) = 32),
    count        integer NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL
);
DROP TABLE sign_in_failures;

-- Who did what. Ids, never texts; no foreign keys, so that it outlives what it tells of.
CREATE TABLE audit_events (
    id          uuid PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT now(),
    event       text NOT NULL,
    -- Who acted, or for whom; NULL: nobody who is known.
    user_id     uuid,
    -- The other person or the account that it was done to, if that is somebody else.
    subject_id  uuid,
    client_id   uuid,
    address     text,
    details     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_time ON audit_events (happened_at DESC, id DESC);
CREATE INDEX audit_events_user ON audit_events (user_id, happened_at DESC, id DESC);
CREATE INDEX audit_events_subject ON audit_events (subject_id, happened_at DESC, id DESC) WHERE subject_id IS NOT NULL;
CREATE INDEX audit_events_client ON audit_events (client_id, happened_at DESC, id DESC) WHERE client_id IS NOT NULL;
