-- Sharing, history, keyword search, idempotency keys, and imports.

ALTER TABLE memories
    DROP CONSTRAINT memories_permission_check,
    ADD CONSTRAINT memories_permission_check CHECK (permission IN ('private', 'public', 'shared', 'aggregate')),
    -- The client that made it what it is now; NULL: not known.
    ADD COLUMN client_id uuid;
CREATE INDEX memories_aggregate_created ON memories (created_at) WHERE permission = 'aggregate';

-- People with whom a memory is shared while its permission says so. Not a reference: that somebody does not exist is not told.
CREATE TABLE memory_shared_users (
    memory_id uuid NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    -- The owner of the memory.
    user_id   uuid NOT NULL,
    person_id uuid NOT NULL,
    -- The place in the owner's list.
    position  smallint NOT NULL,
    PRIMARY KEY (memory_id, person_id)
);
CREATE INDEX memory_shared_users_person ON memory_shared_users (person_id, memory_id);

CREATE TABLE memory_shared_groups (
    memory_id uuid NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    -- The owner of the memory.
    user_id   uuid NOT NULL,
    group_id  uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    position  smallint NOT NULL,
    PRIMARY KEY (memory_id, group_id)
);
CREATE INDEX memory_shared_groups_group ON memory_shared_groups (group_id, memory_id);

-- What a memory was before each change. The text stays sealed for the version at which it was written.
CREATE TABLE memory_versions (
    memory_id       uuid NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
    user_id         uuid NOT NULL,
    version         bigint NOT NULL,
    ciphertext      text NOT NULL,
    text_version    bigint NOT NULL,
    permission      text NOT NULL,
    tags            text[] NOT NULL,
    category        text,
    expiration_date timestamptz,
    client_id       uuid,
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (memory_id, version)
);

-- Keyword search over sealed texts: keyed hashes of the words of each text and how often they stand in it.
CREATE TABLE memory_words (
    memory_id  uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    -- How many words the text has, stop words aside.
    length     integer NOT NULL,
    -- Under a key of the owner's.
    words      bigint[] NOT NULL,
    counts     smallint[] NOT NULL,
    -- The same words in the same order under a key of the deployment's, so that others can search; NULL: private.
    open_words bigint[]
);
CREATE INDEX memory_words_user ON memory_words (user_id) INCLUDE (length);
CREATE INDEX memory_words_words ON memory_words USING gin (words);
CREATE INDEX memory_words_open_words ON memory_words USING gin (open_words) WHERE open_words IS NOT NULL;

-- The public name of the key that wraps a person's data key; NULL: wrapped before this was kept.
ALTER TABLE users ADD COLUMN key_fingerprint text;
CREATE INDEX users_key_fingerprint ON users (key_fingerprint);

-- Keys of the deployment, encrypted with its key ring.
CREATE TABLE deployment_keys (
    name        text PRIMARY KEY,
    wrapped_key text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Long vectors are stored beside the row, which keeps their signs: one bit a dimension finds the candidates.
ALTER TABLE memory_embeddings
    ALTER COLUMN embedding SET STORAGE EXTERNAL,
    ADD COLUMN bits bit varying,
    -- Follows the memory's permission, in the same transaction: the index of public memories is made of it.
    ADD COLUMN is_public boolean NOT NULL DEFAULT false;
UPDATE memory_embeddings SET bits = binary_quantize(embedding) WHERE vector_dims(embedding) > 512;
UPDATE memory_embeddings e SET is_public = true FROM memories m WHERE m.id = e.memory_id AND m.permission = 'public';

-- A job is for the model of whoever takes it, or ('' is none) for the one that is named: a new model is made ready while
-- servers run with the old one.
ALTER TABLE embedding_jobs
    ADD COLUMN model text NOT NULL DEFAULT '',
    DROP CONSTRAINT embedding_jobs_memory_id_fkey,
    DROP CONSTRAINT embedding_jobs_pkey,
    ADD PRIMARY KEY (memory_id, model);

-- Words and jobs go with their memory. A foreign key would say the same, at the price of a look-up for every row that is
-- stored, which doubles the cost of the row: whoever stores one of these holds its memory, or stores it with it.
CREATE FUNCTION delete_words_and_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM memory_words w USING gone WHERE w.memory_id = gone.id;
    DELETE FROM embedding_jobs j USING gone WHERE j.memory_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER memories_deleted AFTER DELETE ON memories REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION delete_words_and_jobs();

-- Calls that count once. The answer is sealed with the person's key, and so is the hash of what was asked.
CREATE TABLE idempotency_keys (
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the key.
    key_hash     bytea NOT NULL CHECK (length(key_hash) = 32),
    request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
    answer       text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key_hash)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Imports that were taken in and are carried out row by row.
CREATE TABLE imports (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id   uuid NOT NULL,
    stops       boolean NOT NULL,
    status      text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
    -- Rows in all; stored or skipped; of these skipped; refused.
    total       bigint NOT NULL DEFAULT 0,
    done        bigint NOT NULL DEFAULT 0,
    skipped     bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    -- The first errors: [{row, field, message}].
    errors      jsonb NOT NULL DEFAULT '[]',
    -- Nobody else works on it before this time.
    run_after   timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX imports_user ON imports (user_id, created_at DESC);
CREATE INDEX imports_open ON imports (run_after) WHERE status IN ('queued', 'running');

CREATE TABLE import_rows (
    import_id  uuid NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    user_id    uuid NOT NULL,
    -- Counts the rows of the source from 1.
    number     bigint NOT NULL,
    -- Sealed with the person's key.
    ciphertext text NOT NULL,
    PRIMARY KEY (import_id, number)
);
