-- Sessions of MCP clients of the revisions before 2026-07-28: every server goes on with a session that another began.
CREATE TABLE mcp_sessions (
    -- SHA-256 of the id.
    id_hash       bytea PRIMARY KEY CHECK (length(id_hash) = 32),
    user_id       uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- What the client said of itself when it began.
    initialize    jsonb NOT NULL,
    -- The resources that it subscribed to, as it writes their URIs.
    subscriptions text[] NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mcp_sessions_user ON mcp_sessions (user_id, last_used_at);
CREATE INDEX mcp_sessions_last_used ON mcp_sessions (last_used_at);
