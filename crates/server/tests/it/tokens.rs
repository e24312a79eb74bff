//! Refresh tokens: rotation, reuse, races, and what ends them.

use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use sqlx::PgPool;

use crate::kit::{Person, TestServer, number, word};

const LIVE: &str = "SELECT count(*) FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id WHERE t.consumed_at IS NULL AND g.revoked_at IS NULL";

async fn body(response: Response) -> Value {
    response.json().await.expect("JSON")
}

/// Refreshes, which has to succeed, and gives back the person with the new tokens.
async fn rotated(server: &TestServer, person: &Person) -> Person {
    let response = server.refresh(&person.refresh_token).await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer = body(response).await;
    Person {
        token: word(&answer["access_token"]),
        refresh_token: word(&answer["refresh_token"]),
        user_id: person.user_id.clone(),
    }
}

/// Asserts that a refresh is refused because the token does not hold.
async fn assert_invalid(response: Response, why: &str) {
    let status = response.status();
    let answer = body(response).await;
    assert_eq!((status.as_u16(), &answer["error"]), (400, &"invalid_grant".into()), "{why}: {answer}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_refresh_gives_new_tokens_and_uses_the_old_one_up(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    let response = server.refresh(&ada.refresh_token).await;

    assert_eq!(response.status(), StatusCode::OK, "REF-01");
    assert_eq!(response.headers()["cache-control"], "no-store", "TOK-01");
    assert_eq!(response.headers()["pragma"], "no-cache", "TOK-01");
    assert_eq!(response.headers()["content-type"], "application/json", "TOK-01");
    let answer = body(response).await;
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&"Bearer".into(), &3600.into()), "TOK-01");
    assert_eq!(answer["scope"], "memories:read memories:write");
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(5), "nothing but RFC 6749's members: {answer}");
    let (access, refresh) = (word(&answer["access_token"]), word(&answer["refresh_token"]));
    assert!(access != ada.token && refresh != ada.refresh_token, "REF-01");
    assert!(server.is_welcome_at(&server.url, &access).await);
    assert!(server.is_welcome_at(&server.url, &ada.token).await, "the earlier access token lives until it expires");
    assert_invalid(server.refresh(&ada.refresh_token).await, "REF-01").await;
    assert_eq!(server.refresh(&refresh).await.status(), StatusCode::OK, "REF-05: the family lives on");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_used_token_that_comes_back_at_once_is_refused_and_nothing_else_happens(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let next = rotated(&server, &ada).await;

    for _ in 0..5 {
        assert_invalid(server.refresh(&ada.refresh_token).await, "REF-05").await;
    }

    assert_eq!(number(&pool, LIVE).await, 1, "REF-05: no token was made and none ended");
    assert!(server.is_welcome_at(&server.url, &next.token).await, "REF-05");
    rotated(&server, &next).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_used_token_that_comes_back_later_ends_its_family_everywhere(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let ada = server.sign_in("ada").await;
    let other = server.sign_in("ada").await;
    let next = rotated(&server, &ada).await;
    let later = "UPDATE refresh_tokens SET consumed_at = consumed_at - interval '11 seconds' WHERE consumed_at IS NOT NULL";
    sqlx::query(later).execute(&pool).await.expect("an update");

    assert_invalid(server.refresh(&ada.refresh_token).await, "REF-02").await;

    for url in [&server.url, &replica.url] {
        assert!(!server.is_welcome_at(url, &ada.token).await, "REF-02: the first access token at {url}");
        assert!(!server.is_welcome_at(url, &next.token).await, "REF-02: the second access token at {url}");
        assert_invalid(server.refresh_at(url, &next.refresh_token).await, "REF-02").await;
        assert!(server.is_welcome_at(url, &other.token).await, "another grant of the same person lives");
    }
    assert_eq!(number(&pool, LIVE).await, 1, "that of the other grant");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn any_generation_that_comes_back_ends_the_family(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--refresh-leeway-seconds", "0"]).await;

    for reused in [0, 1, 10, 18, 19] {
        let mut generations = vec![server.sign_in("ada").await];
        for number in 0..20 {
            generations.push(rotated(&server, &generations[number]).await);
        }
        let last = generations.last().expect("the youngest");
        assert!(server.is_welcome_at(&server.url, &last.token).await);

        assert_invalid(server.refresh(&generations[reused].refresh_token).await, "REF-03").await;

        assert!(!server.is_welcome_at(&server.url, &last.token).await, "REF-03 generation {reused}");
        assert_invalid(server.refresh(&last.refresh_token).await, "REF-03").await;
    }
    assert_eq!(number(&pool, LIVE).await, 0, "REF-03");
}

/// Fifty parallel refreshes with one token at two replicas, twenty times.
async fn race(pool: &PgPool, leeway: &str) -> (TestServer, Vec<Person>) {
    let server = TestServer::spawn_with(pool, &["--refresh-leeway-seconds", leeway]).await;
    let replica = server.replica().await;
    let mut winners = Vec::new();
    for round in 0..20 {
        let ada = server.sign_in("ada").await;
        let refresh = |number: usize| {
            server.refresh_at(if number.is_multiple_of(2) { &server.url } else { &replica.url }, &ada.refresh_token)
        };
        let answers = join_all((0..50).map(refresh)).await;

        let (won, lost): (Vec<Response>, Vec<Response>) =
            answers.into_iter().partition(|answer| answer.status() == StatusCode::OK);
        assert_eq!((won.len(), lost.len()), (1, 49), "REF-04 round {round}");
        for answer in lost {
            assert_invalid(answer, "REF-04").await;
        }
        for answer in won {
            let answer = body(answer).await;
            let (token, refresh_token) = (word(&answer["access_token"]), word(&answer["refresh_token"]));
            winners.push(Person { token, refresh_token, user_id: ada.user_id.clone() });
        }
    }
    let most = "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM refresh_tokens WHERE consumed_at IS NULL GROUP BY grant_id) AS f";
    assert!(number(pool, most).await <= 1, "REF-04: never two live tokens in a family");
    (server, winners)
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_fifty_parallel_refreshes_at_two_replicas_one_wins(pool: PgPool) {
    let (server, winners) = race(&pool, "10").await;

    assert_eq!(number(&pool, LIVE).await, 20, "REF-04: one live token in each of twenty families");
    for winner in &winners {
        assert!(server.is_welcome_at(&server.url, &winner.token).await, "REF-04");
        assert_eq!(server.refresh(&winner.refresh_token).await.status(), StatusCode::OK, "REF-04");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn without_leeway_no_token_survives_a_detected_reuse(pool: PgPool) {
    let (server, winners) = race(&pool, "0").await;

    let alive = usize::try_from(number(&pool, LIVE).await).expect("a number");
    let mut working = 0;
    for winner in &winners {
        let is_welcome = server.is_welcome_at(&server.url, &winner.token).await;
        let refreshes = server.refresh(&winner.refresh_token).await.status() == StatusCode::OK;
        assert_eq!(is_welcome, refreshes, "REF-04: a family ends as a whole");
        working += usize::from(refreshes);
    }
    assert_eq!(working, alive, "REF-04");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn another_clients_attempt_neither_works_nor_harms(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let (other_id, other_secret) = server.register_client("Other", true).await;
    let (public, _) = server.register_client("Public", false).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", ada.refresh_token.as_str())];
    let post = || server.post("/token").form(&form);
    let with_id = |id: &str| {
        let mut form = form.to_vec();
        form.push(("client_id", id));
        server.post("/token").form(&form)
    };

    for (request, status, code) in [
        (post().basic_auth(&other_id, Some(&other_secret)), 400, "invalid_grant"),
        (with_id(&public), 400, "invalid_grant"),
        (with_id(&server.client_id), 401, "invalid_client"),
        (post(), 401, "invalid_client"),
        (post().basic_auth(&server.client_id, Some("wrong")), 401, "invalid_client"),
        (post().basic_auth(&other_id, Some(&server.client_secret)), 401, "invalid_client"),
    ] {
        let response = request.send().await.expect("an answer");
        let status_code = response.status().as_u16();
        assert_eq!((status_code, body(response).await["error"].as_str()), (status, Some(code)), "REF-06");
    }

    assert!(server.is_welcome_at(&server.url, &ada.token).await, "REF-06: the family lives");
    rotated(&server, &ada).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_scope_can_be_narrowed_and_never_widened(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let refresh = async |token: &str, scope: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        let request = server.post("/token").basic_auth(&server.client_id, Some(&server.client_secret)).form(&form);
        body(request.send().await.expect("an answer")).await
    };

    for more in ["memories:read memories:write memories:admin", "memories:admin", "openid", "memories:read  memories:write"] {
        assert_eq!(refresh(&ada.refresh_token, more).await["error"], "invalid_scope", "REF-07 {more}");
    }
    let narrowed = refresh(&ada.refresh_token, "memories:read").await;
    assert_eq!(narrowed["scope"], "memories:read", "REF-07: a refused scope did not use the token up");
    let reader = Person { token: word(&narrowed["access_token"]), ..ada.clone() };
    assert_eq!(
        server.fail(&reader, "submit_memory", serde_json::json!({ "text": "x" })).await,
        (403, "insufficient_scope".into())
    );

    let wide = refresh(&word(&narrowed["refresh_token"]), "").await;
    assert_eq!(wide["scope"], "memories:read memories:write", "REF-07: the grant keeps its scopes");

    sqlx::query("UPDATE clients SET scopes = '{memories:read}'").execute(&pool).await.expect("an update");
    let cut = refresh(&word(&wide["refresh_token"]), "").await;
    assert_eq!(cut["scope"], "memories:read", "REF-07: what an administrator took from the client is gone");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_has_ended_stays_ended(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    for (statement, why, ends_access) in [
        ("UPDATE refresh_tokens SET expires_at = now() - interval '1 second'", "REF-08: idle too long", false),
        ("UPDATE grants SET expires_at = now() - interval '1 second'", "REF-08: too old in all", false),
        ("UPDATE grants SET revoked_at = now()", "REF-09: revoked", true),
        ("UPDATE users SET is_active = false WHERE username = 'ada'", "REF-09: deactivated", true),
    ] {
        sqlx::query("UPDATE users SET is_active = true").execute(&pool).await.expect("an update");
        let ada = server.sign_in("ada").await;
        assert!(server.is_welcome_at(&server.url, &ada.token).await);

        sqlx::query(statement).execute(&pool).await.expect("an update");

        assert_invalid(server.refresh(&ada.refresh_token).await, why).await;
        assert_eq!(server.is_welcome_at(&server.url, &ada.token).await, !ends_access, "{why}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_deleted_client_or_person_takes_the_tokens_along(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, grace) = (server.sign_in("ada").await, server.sign_in("grace").await);

    sqlx::query("DELETE FROM users WHERE username = 'ada'").execute(&pool).await.expect("a deletion");
    assert!(!server.is_welcome_at(&server.url, &ada.token).await, "JWT-09");
    assert_invalid(server.refresh(&ada.refresh_token).await, "REF-09").await;

    sqlx::query("DELETE FROM clients").execute(&pool).await.expect("a deletion");
    assert!(!server.is_welcome_at(&server.url, &grace.token).await, "JWT-09");
    assert_eq!(server.refresh(&grace.refresh_token).await.status(), 401, "REF-09: the client is unknown now");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn each_kind_of_token_is_for_one_thing(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    assert!(!server.is_welcome_at(&server.url, &ada.refresh_token).await, "REF-12");
    assert_eq!(server.post("/mcp").bearer_auth(&ada.refresh_token).send().await.expect("an answer").status(), 401, "REF-12");
    assert_invalid(server.refresh(&ada.token).await, "REF-12").await;
    for nonsense in ["x", &"A".repeat(43), &"A".repeat(100_000), "a\0b", "ä"] {
        assert_invalid(server.refresh(nonsense).await, "an unknown token").await;
    }
}
