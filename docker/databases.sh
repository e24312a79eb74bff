#!/bin/sh
# Runs once, when a database's volume is new: a role that owns its database and nothing else (OPS-08), and pgvector.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
    --set role="$OWNER" --set password="$OWNER_PASSWORD" --set vectors="$VECTORS" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE CONNECT ON DATABASE :"role" FROM PUBLIC;
\connect :"role"
\if :vectors
CREATE EXTENSION IF NOT EXISTS vector;
\endif
SQL
