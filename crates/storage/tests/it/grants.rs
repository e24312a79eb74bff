//! Rotation is one atomic step, whatever happens at the same time.

use futures_util::future::join_all;
use picard_crypto::hash_token;
use sqlx::PgPool;

use crate::kit::{grant, number, store, tomorrow};

const LIVE: &str = "SELECT count(*) FROM refresh_tokens WHERE consumed_at IS NULL";

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_parallel_rotations_of_one_token_one_succeeds(pool: PgPool) {
    let store = store(&pool);
    for round in 0..20 {
        let first = format!("round-{round}");
        grant(&store, &first).await;
        let successors: Vec<[u8; 32]> = (0..20).map(|number| hash_token(&format!("{first}-{number}"))).collect();

        let (old, end) = (hash_token(&first), tomorrow());
        let rotations = successors.iter().map(|new| store.rotate_refresh_token(&old, new, end));
        let outcomes = join_all(rotations).await;

        let won = outcomes.into_iter().filter(|outcome| *outcome.as_ref().expect("an answer")).count();
        assert_eq!(won, 1, "REF-04 round {round}");
    }
    assert_eq!(number(&pool, LIVE).await, 20, "REF-04: one live token a family");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_revocation_that_races_with_a_rotation_leaves_nothing_alive(pool: PgPool) {
    let store = store(&pool);
    for round in 0..50 {
        let first = format!("round-{round}");
        let id = grant(&store, &first).await;
        let (old, new) = (hash_token(&first), hash_token(&format!("{first}-new")));

        let (rotated, revoked) = futures_util::join!(store.rotate_refresh_token(&old, &new, tomorrow()), store.revoke_grant(id));
        rotated.expect("an answer");
        revoked.expect("an answer");

        for token in [&old, &new] {
            let again = store.rotate_refresh_token(token, &hash_token("later"), tomorrow()).await.expect("an answer");
            assert!(!again, "REF-02 round {round}: the family has ended");
            let known = store.refresh_token(token).await.expect("an answer");
            assert!(known.is_none_or(|token| token.is_revoked), "REF-02 round {round}");
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_family_cannot_have_two_live_tokens(pool: PgPool) {
    let store = store(&pool);
    grant(&store, "first").await;

    let second = sqlx::query(
        "INSERT INTO refresh_tokens (token_hash, grant_id, user_id, expires_at)
         SELECT sha256('second'), grant_id, user_id, expires_at FROM refresh_tokens",
    );

    let refused = second.execute(&pool).await.expect_err("the schema forbids it, whatever the programs do");
    assert_eq!(refused.as_database_error().and_then(|error| error.constraint()), Some("refresh_tokens_one_live"), "REF-04");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_ended_token_does_not_rotate(pool: PgPool) {
    let store = store(&pool);
    for (number, statement) in [
        "UPDATE refresh_tokens SET expires_at = now()",
        "UPDATE grants SET expires_at = now()",
        "UPDATE grants SET revoked_at = now()",
        "UPDATE refresh_tokens SET consumed_at = now()",
        "DELETE FROM grants",
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("token-{number}");
        grant(&store, &token).await;
        sqlx::query(statement).execute(&pool).await.expect("an update");

        let outcome = store.rotate_refresh_token(&hash_token(&token), &hash_token("next"), tomorrow()).await;

        assert!(!outcome.expect("an answer"), "REF-08, REF-09 {statement}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_ended_long_ago_is_purged_and_nothing_else(pool: PgPool) {
    let store = store(&pool);
    for token in ["alive", "revoked", "expired", "just-revoked"] {
        grant(&store, token).await;
    }
    for statement in [
        "UPDATE grants SET revoked_at = now() - interval '3 days' WHERE user_id = (SELECT id FROM users WHERE username = 'owner-revoked')",
        "UPDATE grants SET revoked_at = now() WHERE user_id = (SELECT id FROM users WHERE username = 'owner-just-revoked')",
        "UPDATE grants SET expires_at = now() - interval '3 days' WHERE user_id = (SELECT id FROM users WHERE username = 'owner-expired')",
        "INSERT INTO revoked_access_tokens SELECT gen_random_uuid(), id, now() - interval '2 hours' FROM users",
        "INSERT INTO revoked_access_tokens SELECT gen_random_uuid(), id, now() + interval '1 minute' FROM users LIMIT 1",
    ] {
        sqlx::query(statement).execute(&pool).await.expect("a statement");
    }

    store.purge_ended().await.expect("an answer");

    assert_eq!(number(&pool, "SELECT count(*) FROM grants").await, 2);
    assert_eq!(number(&pool, "SELECT count(*) FROM refresh_tokens").await, 2, "tokens go with their grant");
    assert_eq!(
        number(&pool, "SELECT count(*) FROM revoked_access_tokens").await,
        1,
        "REV-06: kept until it would have expired anyway"
    );
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_backlog_is_purged_to_its_end_and_one_server_works_at_a_time(pool: PgPool) {
    let store = store(&pool);
    grant(&store, "alive").await;
    for statement in [
        "INSERT INTO revoked_access_tokens SELECT gen_random_uuid(), gen_random_uuid(), now() - interval '2 hours' FROM generate_series(1, 2500)",
        "INSERT INTO rate_limits SELECT sha256(n::text::bytea), 1, now(), now() - interval '1 second' FROM generate_series(1, 2500) n",
        "INSERT INTO memory_deletions SELECT gen_random_uuid(), gen_random_uuid(), pg_current_xact_id(), now() - interval '3 hours' FROM generate_series(1, 2500)",
        "INSERT INTO idempotency_keys SELECT id, sha256(n::text::bytea), sha256('x'), NULL, now() - interval '25 hours' FROM users, generate_series(1, 2500) n",
        "INSERT INTO grants SELECT gen_random_uuid(), user_id, client_id, scopes, audience, now(), now(), now() - interval '3 days' FROM grants, generate_series(1, 50)",
        "INSERT INTO refresh_tokens SELECT sha256(n::text::bytea), grant_id, user_id, now(), now() - interval '1 second', now()
             FROM refresh_tokens, generate_series(1, 2500) n",
        "INSERT INTO refresh_tokens SELECT sha256((-n)::text::bytea), grant_id, user_id, now(), now() + interval '1 hour', now()
             FROM refresh_tokens, generate_series(1, 3) n WHERE consumed_at IS NULL",
    ] {
        sqlx::query(statement).execute(&pool).await.expect("a statement");
    }
    let mut other = pool.begin().await.expect("a transaction");
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('picard purge'))").execute(&mut *other).await.expect("the turn");

    store.purge_ended().await.expect("an answer");
    let kept = number(&pool, "SELECT count(*) FROM rate_limits").await;
    other.rollback().await.expect("an end");
    store.purge_ended().await.expect("an answer");

    assert_eq!(kept, 2_500, "another server deletes at the moment");
    for table in ["revoked_access_tokens", "rate_limits", "memory_deletions", "idempotency_keys"] {
        let statement = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let left: i64 = sqlx::query_scalar(statement).fetch_one(&pool).await.expect("a number");
        assert_eq!(left, 0, "{table}");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM grants").await, 1);
    assert_eq!(
        number(&pool, "SELECT count(*) FROM refresh_tokens").await,
        4,
        "the one that works, and used ones that would be noticed if they came back (REF-03)"
    );
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_cannot_be_deleted_does_not_keep_the_rest(pool: PgPool) {
    let store = store(&pool);
    for statement in [
        "INSERT INTO revoked_access_tokens SELECT gen_random_uuid(), gen_random_uuid(), now() - interval '2 hours'",
        "INSERT INTO rate_limits SELECT sha256('x'), 1, now(), now() - interval '1 second'",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$",
        "CREATE TRIGGER refuse BEFORE DELETE ON revoked_access_tokens FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        sqlx::query(statement).execute(&pool).await.expect("a statement");
    }

    let outcome = store.purge_ended().await;

    assert!(outcome.is_err(), "it is told");
    assert_eq!(number(&pool, "SELECT count(*) FROM rate_limits").await, 0);
}
