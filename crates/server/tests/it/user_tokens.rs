//! The user-token flow: a client names a person, and what it may not do that way.

use std::collections::HashSet;

use futures_util::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, merge, number, word};

const PATH: &str = "/api/user-tokens/user-token";
const USERS: &str = "SELECT count(*) FROM users";

/// Status, error code and whole body of an answer.
async fn outcome(response: Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    (status, body["error"].as_str().unwrap_or_default().to_owned(), body)
}

/// Asks as the web application; gives back status and error code.
async fn ask(server: &TestServer, more: Value) -> (u16, String) {
    let (status, code, _) = outcome(server.user_token(more).await).await;
    (status, code)
}

/// Asks as this client for the person.
async fn ask_as(server: &TestServer, client: &(String, String), more: Value) -> (u16, String, Value) {
    let mut body = json!({ "client_id": client.0, "client_secret": client.1 });
    merge(&mut body, more);
    outcome(server.post(PATH).json(&body).send().await.expect("an answer")).await
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn json_and_form_and_basic_give_the_same_person(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (id, secret) = (server.client_id.as_str(), server.client_secret.as_str());
    let json_body = json!({ "client_id": id, "client_secret": secret, "username": "ada", "create_if_not_exists": true, "nickname": "x", "n": 5 });
    let form = [("client_id", id), ("client_secret", secret), ("username", "ada"), ("email", ""), ("nickname", "x")];
    let bare_form = [("username", "ada"), ("create_if_not_exists", "true")];

    let requests = [
        server.post(PATH).json(&json_body),
        server.post(PATH).form(&form),
        server.post(PATH).basic_auth(id, Some(secret)).form(&bare_form),
        server.post(PATH).basic_auth(id, Some(secret)).json(&json!({ "username": "ada", "scope": null })),
    ];

    let mut people = HashSet::new();
    for request in requests {
        let response = request.send().await.expect("an answer");
        assert_eq!(
            (&response.headers()["cache-control"], &response.headers()["pragma"]),
            (&"no-store".parse().expect("text"), &"no-cache".parse().expect("text"))
        );
        let (status, _, body) = outcome(response).await;
        assert_eq!((status, &body["token_type"], &body["expires_in"]), (200, &json!("Bearer"), &json!(3600)), "{body}");
        assert_eq!(body["scope"], "memories:read memories:write");
        let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(members.len(), 6, "{members:?}");
        people.insert(word(&body["user_id"]));
    }
    assert_eq!(people.len(), 1);
    assert_eq!(number(&pool, USERS).await, 2, "the administrator and ada");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_public_client_may_name_nobody(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (public, _) = server.register_client("Public", false).await;

    for secret in [None, Some("anything")] {
        let body = json!({ "client_id": public, "client_secret": secret, "username": "ada", "create_if_not_exists": true });
        let (status, code, _) = outcome(server.post(PATH).json(&body).send().await.expect("an answer")).await;
        let expected = if secret.is_some() { refused(401, "invalid_client") } else { refused(403, "unauthorized_client") };
        assert_eq!((status, code), expected, "UTK-01");
    }
    assert_eq!(number(&pool, USERS).await, 1, "UTK-01: nobody was made");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_wrong_secret_and_an_unknown_client_answer_the_same(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (other, _) = server.register_client("Other", true).await;
    let own_secret = server.client_secret.clone();
    let unknown = uuid::Uuid::new_v4().to_string();
    let mut bodies = HashSet::new();

    for (id, secret) in [
        (server.client_id.as_str(), json!("wrong")),
        (&server.client_id, json!(null)),
        (&server.client_id, json!("")),
        (&server.client_id.to_uppercase(), json!(own_secret)),
        (&other, json!(own_secret)),
        (&unknown, json!(own_secret)),
        ("' OR 1=1", json!(own_secret)),
    ] {
        let body = json!({ "client_id": id, "client_secret": secret, "username": "ada", "create_if_not_exists": true });
        let response = server.post(PATH).json(&body).send().await.expect("an answer");
        assert!(response.headers().get("www-authenticate").is_none(), "Basic was not used");
        let (status, code, body) = outcome(response).await;
        assert_eq!((status, code), refused(401, "invalid_client"), "UTK-02 {id}");
        bodies.insert(body.to_string());
    }
    let basic =
        server.post(PATH).basic_auth(&unknown, Some("x")).json(&json!({ "username": "ada" })).send().await.expect("an answer");
    assert!(basic.headers()["www-authenticate"].to_str().expect("text").starts_with("Basic "), "TOK-09");
    bodies.insert(outcome(basic).await.2.to_string());

    assert_eq!(bodies.len(), 1, "UTK-02: {bodies:?}");
    assert_eq!(number(&pool, USERS).await, 1, "UTK-02: nobody was made");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn no_spelling_of_an_administrator_gets_a_token(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    for username in ["root", "ROOT", " root ", "ｒｏｏｔ", "ro\u{200b}ot", "root\u{feff}", "ⓡoot"] {
        for create in [true, false] {
            let answer = ask(&server, json!({ "username": username, "create_if_not_exists": create })).await;
            assert_eq!(answer, refused(403, "access_denied"), "UTK-03 {username:?}");
        }
    }
    for email in ["root@example.org", "ROOT@EXAMPLE.ORG", " root@example.org", "ro\u{ad}ot@example.org"] {
        let answer = ask(&server, json!({ "username": "ada", "email": email, "create_if_not_exists": true })).await;
        assert_eq!(answer, refused(403, "access_denied"), "UTK-03 {email:?}");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM grants").await, 0, "UTK-03: no token was made");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_account_belongs_to_the_client_that_made_it(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let other = server.register_client("Other", true).await;
    let ada = json!({ "username": "ada", "email": "ada@example.org", "create_if_not_exists": true });
    assert_eq!(ask(&server, ada).await.0, 200);
    ask(&server, json!({ "username": "grace", "create_if_not_exists": true })).await;
    let before = number(&pool, "SELECT count(*) FROM grants").await;

    for (username, email) in [
        ("ada", None),
        ("ADA", None),
        ("new", Some("ada@example.org")),
        ("new", Some("Ada@Example.ORG")),
        ("ada", Some("x@example.org")),
    ] {
        for create in [true, false] {
            let more = json!({ "username": username, "email": email, "create_if_not_exists": create });
            let (status, code, _) = ask_as(&server, &other, more).await;
            assert_eq!((status, code), refused(409, "account_link_required"), "UTK-04 {username} {email:?}");
        }
    }
    let mixed = json!({ "username": "grace", "email": "ada@example.org", "create_if_not_exists": true });
    assert_eq!(ask(&server, mixed).await, refused(409, "account_link_required"), "UTK-05: never the first match");
    assert_eq!(number(&pool, "SELECT count(*) FROM grants").await, before, "UTK-04: no token was made");
    assert_eq!(
        number(&pool, "SELECT count(*) FROM users WHERE email IS NOT NULL AND username <> 'ada'").await,
        1,
        "only the administrator"
    );
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nobody_is_made_unless_the_client_asks(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    for more in [
        json!({}),
        json!({ "create_if_not_exists": false }),
        json!({ "create_if_not_exists": "false" }),
        json!({ "create_if_not_exists": null }),
    ] {
        let mut body = json!({ "username": "ada" });
        merge(&mut body, more);
        assert_eq!(ask(&server, body).await, refused(404, "user_not_found"), "UTK-06");
    }
    assert_eq!(number(&pool, USERS).await, 1, "UTK-06");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn fifty_first_requests_make_one_account(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    let ask = |number: usize| {
        let username = if number.is_multiple_of(2) { "ada" } else { "ADA" };
        server.user_token(json!({ "username": username, "email": "ada@example.org", "create_if_not_exists": true }))
    };
    let answers = join_all(join_all((0..50).map(ask)).await.into_iter().map(outcome)).await;

    assert!(answers.iter().all(|(status, _, _)| *status == 200), "UTK-07 {answers:?}");
    let people: HashSet<String> = answers.iter().map(|(_, _, body)| word(&body["user_id"])).collect();
    assert_eq!(people.len(), 1, "UTK-07: all for the same person");
    assert_eq!(number(&pool, USERS).await, 2, "UTK-07: one row besides the administrator's");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn parallel_requests_for_one_address_make_one_account(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    let ask = |number: usize| {
        server.user_token(json!({ "username": format!("ada{number}"), "email": "ada@example.org", "create_if_not_exists": true }))
    };
    let answers = join_all(join_all((0..20).map(ask)).await.into_iter().map(outcome)).await;

    let count = |status: u16| answers.iter().filter(|answer| answer.0 == status).count();
    assert_eq!((count(200), count(409)), (1, 19), "FLT-19 {answers:?}");
    assert_eq!(number(&pool, USERS).await, 2);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_scope_is_at_most_what_the_client_may_have(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ask_scope = |scope: &str| json!({ "username": "ada", "create_if_not_exists": true, "scope": scope });

    for scope in [
        "memories:admin",
        "memories:read memories:admin",
        "memories:all",
        "memories:read\tmemories:write",
        "memories:read  memories:write",
        "openid",
    ] {
        assert_eq!(ask(&server, ask_scope(scope)).await, refused(400, "invalid_scope"), "UTK-08 {scope:?}");
    }
    assert_eq!(number(&pool, USERS).await, 1, "UTK-08: nobody was made");
    for (asked, given) in [
        ("memories:read", "memories:read"),
        ("memories:write memories:read", "memories:read memories:write"),
        ("", "memories:read memories:write"),
    ] {
        let (_, _, body) = outcome(server.user_token(ask_scope(asked)).await).await;
        assert_eq!(body["scope"], given, "UTK-08 {asked:?}");
    }

    sqlx::query("UPDATE clients SET scopes = '{memories:read,memories:admin}'").execute(&pool).await.expect("an update");
    assert_eq!(ask(&server, ask_scope("memories:write")).await, refused(400, "invalid_scope"), "UTK-08");
    assert_eq!(
        ask(&server, ask_scope("memories:admin")).await,
        refused(400, "invalid_scope"),
        "UTK-08: never the administration"
    );
    assert_eq!(outcome(server.user_token(ask_scope("")).await).await.2["scope"], "memories:read", "UTK-08");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_deactivated_person_gets_nothing(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada: Person = server.sign_in("ada").await;

    sqlx::query("UPDATE users SET is_active = false WHERE username = 'ada'").execute(&pool).await.expect("an update");

    assert_eq!(
        ask(&server, json!({ "username": "ada", "create_if_not_exists": true })).await,
        refused(403, "access_denied"),
        "UTK-12"
    );
    assert!(!server.is_welcome_at(&server.url, &ada.token).await, "UTK-12");
    assert_eq!(outcome(server.refresh(&ada.refresh_token).await).await.1, "invalid_grant", "UTK-12");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_malformed_request_is_said_to_be_one(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    server.sign_in("ada").await;
    let before = number(&pool, USERS).await;

    for more in [
        json!({}),
        json!({ "username": "" }),
        json!({ "username": 5 }),
        json!({ "username": ["ada"] }),
        json!({ "username": "a b" }),
        json!({ "username": "ada\0" }),
        json!({ "username": " ada" }),
        json!({ "username": "<script>" }),
        json!({ "username": "x".repeat(65) }),
        json!({ "username": "ada", "email": "ada" }),
        json!({ "username": "new", "email": "a\0@example.org" }),
    ] {
        let mut body = json!({ "create_if_not_exists": true });
        merge(&mut body, more.clone());
        assert_eq!(ask(&server, body).await, refused(400, "invalid_request"), "INP-02 {more}");
    }
    for raw in ["{", "[]", "\"x\"", r#"{"username": "a", "username": "b"}"#, ""] {
        let request = server.post(PATH).header("content-type", "application/json").body(raw);
        let (status, code, _) = outcome(request.send().await.expect("an answer")).await;
        assert_eq!((status, code), refused(400, "invalid_request"), "INP-03 {raw}");
    }
    assert_eq!(number(&pool, USERS).await, before);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_later_call_with_another_address_changes_nothing(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let first = json!({ "username": "ada", "email": "ada@example.org", "create_if_not_exists": true });
    let (_, _, made) = outcome(server.user_token(first).await).await;

    let (_, _, again) = outcome(server.user_token(json!({ "username": "ada", "email": "new@example.org" })).await).await;

    assert_eq!(again["user_id"], made["user_id"], "UTK-10");
    let kept = "SELECT count(*) FROM users WHERE email = 'ada@example.org'";
    assert_eq!(number(&pool, kept).await, 1, "UTK-10: only its person changes an address");
}
