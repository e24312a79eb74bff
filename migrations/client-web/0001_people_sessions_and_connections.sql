-- The web application's own database: its accounts, their sessions, and their connections to the Picard server.

CREATE TABLE people (
    id            uuid        PRIMARY KEY,
    username      text        NOT NULL,
    -- The username after NFKC case folding: what must be unique, so that "Ada" and "ada" are one person.
    username_key  text        NOT NULL UNIQUE,
    email         text,
    email_key     text        UNIQUE,
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((email IS NULL) = (email_key IS NULL))
);

-- The id is a SHA-256: whoever reads this table cannot take over a session with it.
CREATE TABLE sessions (
    id_hash    bytea       PRIMARY KEY CHECK (octet_length(id_hash) = 32),
    person_id  uuid        REFERENCES people (id) ON DELETE CASCADE,
    data       jsonb       NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_person ON sessions (person_id);

-- One row for each person that is connected to the Picard server.
CREATE TABLE connections (
    person_id         uuid        PRIMARY KEY REFERENCES people (id) ON DELETE CASCADE,
    server_user_id    uuid        NOT NULL,
    scope             text        NOT NULL,
    -- Fernet over an envelope that names the person: a token copied to another row cannot be used there.
    access_token      text        NOT NULL,
    refresh_token     text        NOT NULL,
    access_expires_at timestamptz NOT NULL,
    -- Counts the pairs of tokens; whoever waits for a refresh sees by it that a new pair is there.
    generation        bigint      NOT NULL DEFAULT 1,
    -- Who is refreshing and until when: one refresh at a time over all replicas, with no transaction held open.
    lease_id          uuid,
    lease_until       timestamptz,
    refresh_failed_at timestamptz,
    connected_at      timestamptz NOT NULL DEFAULT now(),
    refreshed_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((lease_id IS NULL) = (lease_until IS NULL))
);

-- Tokens that were given up here and still have to be revoked at the server; tried again until that has worked.
CREATE TABLE revocations (
    id              uuid        PRIMARY KEY,
    person_id       uuid        NOT NULL,
    refresh_token   text        NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revocations_by_next_attempt ON revocations (next_attempt_at);

-- Failed tries of one kind by one (account, address) pair within a minute; the key is a hash of them.
CREATE TABLE attempts (
    key        bytea       PRIMARY KEY CHECK (octet_length(key) = 32),
    count      integer     NOT NULL,
    started_at timestamptz NOT NULL
);
CREATE INDEX attempts_by_start ON attempts (started_at);
