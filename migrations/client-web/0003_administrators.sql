-- Sessions in which somebody administers the Picard server: they are looked through every minute, and there are few.
CREATE INDEX sessions_of_administrators ON sessions (expires_at) WHERE data -> 'administrator' IS NOT NULL;
