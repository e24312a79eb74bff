-- The transaction that last changed a row: servers hold what is searched in memory and ask before each search what is
-- new. NULL: before this was kept.
ALTER TABLE memories ADD COLUMN changed_in xid8;
ALTER TABLE memories ALTER COLUMN changed_in SET DEFAULT pg_current_xact_id();
CREATE INDEX memories_user_changed ON memories (user_id, changed_in);

ALTER TABLE memory_embeddings ADD COLUMN changed_in xid8;
ALTER TABLE memory_embeddings ALTER COLUMN changed_in SET DEFAULT pg_current_xact_id();
CREATE INDEX memory_embeddings_user_changed ON memory_embeddings (user_id, model, changed_in);
DROP INDEX memory_embeddings_user;

-- Memories that were deleted in the last hours.
CREATE TABLE memory_deletions (
    user_id    uuid NOT NULL,
    memory_id  uuid NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    deleted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX memory_deletions_user_changed ON memory_deletions (user_id, changed_in);
CREATE INDEX memory_deletions_deleted ON memory_deletions (deleted_at);

CREATE OR REPLACE FUNCTION delete_words_and_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM memory_words w USING gone WHERE w.memory_id = gone.id;
    DELETE FROM embedding_jobs j USING gone WHERE j.memory_id = gone.id;
    INSERT INTO memory_deletions (user_id, memory_id) SELECT user_id, id FROM gone;
    RETURN NULL;
END $$;
