-- Everything the server keeps. Every table that belongs to a person carries that person's id, so that it
-- can be distributed by it. Needs pgvector 0.8.4 or later and no other extension.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE clients (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    redirect_uris text[] NOT NULL,
    scopes        text[] NOT NULL,
    -- SHA-256 of a secret of 256 random bits; NULL: a public client.
    secret_hash   bytea CHECK (length(secret_hash) = 32),
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    username      text NOT NULL,
    -- NFKC, case folded: the form in which names and addresses are unique.
    username_key  text NOT NULL UNIQUE,
    email         text,
    email_key     text UNIQUE,
    -- argon2id; NULL: nobody can sign in to it with a password.
    password_hash text,
    is_active     boolean NOT NULL DEFAULT true,
    is_superuser  boolean NOT NULL DEFAULT false,
    -- The client that made the account; it alone reaches it without the person's word.
    client_id     uuid REFERENCES clients (id) ON DELETE SET NULL,
    -- The person's data key, encrypted with the deployment's key ring. Without it their text is unreadable.
    data_key      text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- What one person gave one client at one time: the family of all tokens that came of it.
CREATE TABLE grants (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id    uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes       text[] NOT NULL,
    audience     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE INDEX grants_user_client ON grants (user_id, client_id);

CREATE TABLE refresh_tokens (
    -- SHA-256 of a token of 256 random bits.
    token_hash  bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    grant_id    uuid NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    user_id     uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    consumed_at timestamptz
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
-- A family has at most one token that still works, whatever the programs do.
CREATE UNIQUE INDEX refresh_tokens_one_live ON refresh_tokens (grant_id) WHERE consumed_at IS NULL;

-- Access tokens that were revoked one by one, kept until they would have expired anyway.
CREATE TABLE revoked_access_tokens (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE signing_keys (
    kid         text PRIMARY KEY,
    -- The public JSON Web Key.
    public_jwk  jsonb NOT NULL,
    -- PKCS#8, encrypted with the deployment's key ring.
    private_key text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Set when a newer key signs; this one then only verifies, until this time.
    verifies_until timestamptz
);

CREATE TABLE memories (
    id               uuid PRIMARY KEY,
    user_id          uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- A Fernet token under the person's data key that carries id, owner and version inside.
    ciphertext       text NOT NULL,
    permission       text NOT NULL CHECK (permission IN ('private', 'public')),
    tags             text[] NOT NULL DEFAULT '{}',
    category         text,
    expiration_date  timestamptz,
    version          bigint NOT NULL DEFAULT 1,
    -- The version at which the text last changed: the one inside the ciphertext and behind the embedding.
    text_version     bigint NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE INDEX memories_user_created ON memories (user_id, created_at DESC, id DESC);
CREATE INDEX memories_user_updated ON memories (user_id, updated_at DESC, id DESC);
CREATE INDEX memories_public_created ON memories (created_at DESC, id DESC) WHERE permission = 'public';

-- Narrow on purpose: a search reads every vector of its owner. A long text has one row a window.
CREATE TABLE memory_embeddings (
    memory_id uuid NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    user_id   uuid NOT NULL,
    -- The model that made the vector; only vectors of one model are compared.
    model     text NOT NULL,
    position  smallint NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (memory_id, model, position)
);
-- Short vectors fit into the row's page; compressing them would only cost time.
ALTER TABLE memory_embeddings ALTER COLUMN embedding SET STORAGE PLAIN;
CREATE INDEX memory_embeddings_user ON memory_embeddings (user_id, model);

-- Embeddings that are still to be made: a memory without a row here can be found by meaning. The row is
-- written in the transaction that stores the text.
CREATE TABLE embedding_jobs (
    memory_id  uuid PRIMARY KEY REFERENCES memories (id) ON DELETE CASCADE,
    user_id    uuid NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    -- Nobody takes it before this time: a lease while somebody works on it, a pause after a failure.
    run_after  timestamptz NOT NULL DEFAULT now(),
    last_error text,
    -- Set when the provider refuses this text for good.
    failed_at  timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX embedding_jobs_run_after ON embedding_jobs (run_after) WHERE failed_at IS NULL;

-- Failed tries to sign in, counted per account and address.
CREATE TABLE sign_in_failures (
    -- SHA-256 of the account's key and the address.
    subject      bytea PRIMARY KEY,
    count        integer NOT NULL,
    window_start timestamptz NOT NULL
);
