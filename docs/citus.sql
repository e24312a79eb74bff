-- Spreads a Picard database over the nodes of a Citus cluster by person. Run it once, at the coordinator, on a database that
-- `picard-server migrate` has made and whose nodes have been added, while no server runs; what is there already is moved:
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 --single-transaction -f docs/citus.sql
-- What belongs to a person lies on one node; accounts, clients and groups are on all; tokens, sessions, limits and the
-- log of acts stay on the coordinator. docs/scaling.md says how to set the nodes up and what this costs.

SET LOCAL client_min_messages = warning;
-- One transaction touches tables that are on all nodes and tables that are spread, and such keys are followed in turn.
SET LOCAL citus.multi_shard_modify_mode = 'sequential';

-- A key of a distributed table has to contain the person, so that one node can see that it is unique; and Citus wants both
-- tables spread before one names the other, so these keys go first and come back below.
ALTER TABLE memory_embeddings DROP CONSTRAINT memory_embeddings_memory_id_fkey;
ALTER TABLE memory_versions DROP CONSTRAINT memory_versions_memory_id_fkey;
ALTER TABLE memory_shared_users DROP CONSTRAINT memory_shared_users_memory_id_fkey;
ALTER TABLE memory_shared_groups DROP CONSTRAINT memory_shared_groups_memory_id_fkey;
ALTER TABLE import_rows DROP CONSTRAINT import_rows_import_id_fkey;
-- These two, and the indexes, are there only where a backup of a spread database was put back.
ALTER TABLE memory_words DROP CONSTRAINT IF EXISTS memory_words_memory_id_fkey;
ALTER TABLE embedding_jobs DROP CONSTRAINT IF EXISTS embedding_jobs_memory_id_fkey;

ALTER TABLE memories DROP CONSTRAINT memories_pkey, ADD CONSTRAINT memories_pkey PRIMARY KEY (user_id, id);
CREATE INDEX IF NOT EXISTS memories_id ON memories (id);
ALTER TABLE memory_embeddings
    DROP CONSTRAINT memory_embeddings_pkey,
    ADD CONSTRAINT memory_embeddings_pkey PRIMARY KEY (user_id, memory_id, model, position);
CREATE INDEX IF NOT EXISTS memory_embeddings_memory ON memory_embeddings (memory_id);
ALTER TABLE memory_words DROP CONSTRAINT memory_words_pkey, ADD CONSTRAINT memory_words_pkey PRIMARY KEY (user_id, memory_id);
CREATE INDEX IF NOT EXISTS memory_words_memory ON memory_words (memory_id);
ALTER TABLE memory_versions
    DROP CONSTRAINT memory_versions_pkey,
    ADD CONSTRAINT memory_versions_pkey PRIMARY KEY (user_id, memory_id, version);
ALTER TABLE memory_shared_users
    DROP CONSTRAINT memory_shared_users_pkey,
    ADD CONSTRAINT memory_shared_users_pkey PRIMARY KEY (user_id, memory_id, person_id);
ALTER TABLE memory_shared_groups
    DROP CONSTRAINT memory_shared_groups_pkey,
    ADD CONSTRAINT memory_shared_groups_pkey PRIMARY KEY (user_id, memory_id, group_id);
ALTER TABLE embedding_jobs
    DROP CONSTRAINT embedding_jobs_pkey,
    ADD CONSTRAINT embedding_jobs_pkey PRIMARY KEY (user_id, memory_id, model);
CREATE INDEX IF NOT EXISTS embedding_jobs_memory ON embedding_jobs (memory_id);
ALTER TABLE imports DROP CONSTRAINT imports_pkey, ADD CONSTRAINT imports_pkey PRIMARY KEY (user_id, id);
CREATE INDEX IF NOT EXISTS imports_id ON imports (id);
ALTER TABLE import_rows
    DROP CONSTRAINT import_rows_pkey,
    ADD CONSTRAINT import_rows_pkey PRIMARY KEY (user_id, import_id, number);
CREATE INDEX IF NOT EXISTS import_rows_import ON import_rows (import_id, number);
ALTER TABLE personas DROP CONSTRAINT personas_pkey, ADD CONSTRAINT personas_pkey PRIMARY KEY (user_id, id);
CREATE INDEX IF NOT EXISTS personas_id ON personas (id);
ALTER TABLE persona_questions
    DROP CONSTRAINT persona_questions_pkey,
    ADD CONSTRAINT persona_questions_pkey PRIMARY KEY (user_id, id);

-- Triggers do not run on shards: words and jobs go with their memory by keys, below. What searches hold in memory needs the
-- order of transactions of one node, so servers run with SEARCH_MEMORY_MIB=0 and nobody reads of deletions.
DROP TRIGGER IF EXISTS memories_deleted ON memories;

SELECT create_reference_table('clients');
SELECT create_reference_table('users');
SELECT create_reference_table('groups');
SELECT create_reference_table('group_members');
SELECT create_reference_table('deployment_keys');

SELECT create_distributed_table('memories', 'user_id');
SELECT create_distributed_table('memory_embeddings', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('memory_words', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('memory_versions', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('memory_shared_users', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('memory_shared_groups', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('embedding_jobs', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('imports', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('import_rows', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('idempotency_keys', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('personas', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('persona_blocks', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('persona_limits', 'user_id', colocate_with => 'memories');
SELECT create_distributed_table('persona_questions', 'user_id', colocate_with => 'memories');

-- What belongs to a memory or an import goes with it.
ALTER TABLE memory_embeddings ADD CONSTRAINT memory_embeddings_memory_id_fkey
    FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE memory_words ADD CONSTRAINT memory_words_memory_id_fkey
    FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE memory_versions ADD CONSTRAINT memory_versions_memory_id_fkey
    FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE memory_shared_users ADD CONSTRAINT memory_shared_users_memory_id_fkey
    FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE memory_shared_groups ADD CONSTRAINT memory_shared_groups_memory_id_fkey
    FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE embedding_jobs ADD CONSTRAINT embedding_jobs_memory_id_fkey
    FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE import_rows ADD CONSTRAINT import_rows_import_id_fkey
    FOREIGN KEY (user_id, import_id) REFERENCES imports (user_id, id) ON DELETE CASCADE;
