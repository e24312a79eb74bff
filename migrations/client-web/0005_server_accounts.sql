-- Whose an account of the Picard server is here. Its id never changes, while a name that is free here can be that of
-- somebody else's account there. A row stays when the person disconnects, and when they are gone: then it is nobody's.
CREATE TABLE server_accounts (
    server_user_id uuid        PRIMARY KEY,
    person_id      uuid        REFERENCES people (id) ON DELETE SET NULL,
    -- Whether the person has signed in to it at the server itself.
    is_proved      boolean     NOT NULL,
    bound_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX server_accounts_by_person ON server_accounts (person_id);

-- Whoever signed in at the server comes before whoever only has the name here.
INSERT INTO server_accounts (server_user_id, person_id, is_proved)
SELECT DISTINCT ON (server_user_id) server_user_id, person_id, flow = 'authorization_code'
FROM connections
ORDER BY server_user_id, flow = 'authorization_code' DESC, connected_at;

WITH of_others AS (
    DELETE FROM connections USING server_accounts
    WHERE connections.server_user_id = server_accounts.server_user_id
      AND connections.person_id <> server_accounts.person_id AND connections.flow = 'user_token'
    RETURNING connections.person_id, connections.refresh_token
)
INSERT INTO revocations (id, person_id, refresh_token)
SELECT gen_random_uuid(), person_id, refresh_token FROM of_others;

-- Whether this application has begun to make an account of the person's name at the server: only then one that is found
-- there and is nobody's here can be theirs. Of people from before it is not known, so it is believed.
ALTER TABLE people ADD COLUMN has_begun_account boolean NOT NULL DEFAULT false;
UPDATE people SET has_begun_account = true;

-- Why a connection is of no use any more until the person connects again: the server need not be asked each time.
ALTER TABLE connections
    ADD COLUMN dead_since  timestamptz,
    ADD COLUMN dead_reason text CHECK (dead_reason IN ('ended', 'account_gone', 'denied', 'other_account')),
    ADD CHECK ((dead_since IS NULL) = (dead_reason IS NULL));
