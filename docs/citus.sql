-- Spreads a Picard database over the nodes of a Citus cluster by person. Run it once, on a database that `picard-server
-- migrate` has made, before anything is in it (or while no server runs: distributing moves what is there):
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 --single-transaction -f docs/citus.sql
-- What belongs to a person lies on one node; accounts, clients and groups are on all; tokens, sessions, limits and the
-- log of acts stay on the coordinator. docs/scaling.md says what this costs.

-- A key of a distributed table has to contain the person, so that one node can see that it is unique.
ALTER TABLE memory_embeddings DROP CONSTRAINT memory_embeddings_memory_id_fkey;
ALTER TABLE memory_shared_users DROP CONSTRAINT memory_shared_users_memory_id_fkey;
ALTER TABLE memory_shared_groups DROP CONSTRAINT memory_shared_groups_memory_id_fkey;
ALTER TABLE memory_versions DROP CONSTRAINT memory_versions_memory_id_fkey;
ALTER TABLE import_rows DROP CONSTRAINT import_rows_import_id_fkey;

ALTER TABLE memories DROP CONSTRAINT memories_pkey, ADD CONSTRAINT memories_pkey PRIMARY KEY (user_id, id);
CREATE INDEX memories_id ON memories (id);
ALTER TABLE memory_embeddings
    DROP CONSTRAINT memory_embeddings_pkey,
    ADD CONSTRAINT memory_embeddings_pkey PRIMARY KEY (user_id, memory_id, model, position);
CREATE INDEX memory_embeddings_memory ON memory_embeddings (memory_id);
ALTER TABLE memory_words DROP CONSTRAINT memory_words_pkey, ADD CONSTRAINT memory_words_pkey PRIMARY KEY (user_id, memory_id);
CREATE INDEX memory_words_memory ON memory_words (memory_id);
ALTER TABLE memory_versions
    DROP CONSTRAINT memory_versions_pkey, ADD CONSTRAINT memory_versions_pkey PRIMARY KEY (user_id, memory_id, version);
ALTER TABLE memory_shared_users
    DROP CONSTRAINT memory_shared_users_pkey,
    ADD CONSTRAINT memory_shared_users_pkey PRIMARY KEY (user_id, memory_id, person_id);
ALTER TABLE memory_shared_groups
    DROP CONSTRAINT memory_shared_groups_pkey,
    ADD CONSTRAINT memory_shared_groups_pkey PRIMARY KEY (user_id, memory_id, group_id);
ALTER TABLE embedding_jobs
    DROP CONSTRAINT embedding_jobs_pkey, ADD CONSTRAINT embedding_jobs_pkey PRIMARY KEY (user_id, memory_id, model);
CREATE INDEX embedding_jobs_memory ON embedding_jobs (memory_id);
ALTER TABLE imports DROP CONSTRAINT imports_pkey, ADD CONSTRAINT imports_pkey PRIMARY KEY (user_id, id);
CREATE INDEX imports_id ON imports (id);
ALTER TABLE import_rows
    DROP CONSTRAINT import_rows_pkey, ADD CONSTRAINT import_rows_pkey PRIMARY KEY (user_id, import_id, number);
CREATE INDEX import_rows_import ON import_rows (import_id, number);
ALTER TABLE personas DROP CONSTRAINT personas_pkey, ADD CONSTRAINT personas_pkey PRIMARY KEY (user_id, id);
CREATE INDEX personas_id ON personas (id);
ALTER TABLE persona_questions
    DROP CONSTRAINT persona_questions_pkey, ADD CONSTRAINT persona_questions_pkey PRIMARY KEY (user_id, id);

ALTER TABLE memory_embeddings ADD FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE memory_shared_users ADD FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE memory_shared_groups ADD FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE memory_versions ADD FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE import_rows ADD FOREIGN KEY (user_id, import_id) REFERENCES imports (user_id, id) ON DELETE CASCADE;

-- Triggers do not run on shards: words and jobs go with their memory by keys. What searches hold in memory needs the order
-- of transactions of one node, so servers run with SEARCH_MEMORY_MIB=0 and nobody reads of deletions.
DROP TRIGGER memories_deleted ON memories;
ALTER TABLE memory_words ADD FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;
ALTER TABLE embedding_jobs ADD FOREIGN KEY (user_id, memory_id) REFERENCES memories (user_id, id) ON DELETE CASCADE;

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
