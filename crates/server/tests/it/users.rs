//! People's own accounts, the directory, the log of acts, and linking.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::browser::{Browser, PASSWORD};
use crate::kit::{ADMIN, TestServer, number, word};

/// Somebody with an account of their own, connected to a program.
struct Own {
    browser: Browser,
    token: String,
    refresh_token: String,
    client_id: String,
}

async fn own(server: &TestServer, name: &str) -> Own {
    let browser = Browser::of(server, name).await;
    let client_id = word(&server.register_itself(json!({})).await["client_id"]);
    let (token, refresh_token) = server.connect(&browser, &client_id).await;
    Own { browser, token, refresh_token, client_id }
}

async fn ask(server: &TestServer, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = server.request(method, path).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_account_shows_and_changes_itself_but_not_its_rights(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = own(&server, "ada").await;
    let me = "/api/users/me";

    let (status, profile) = ask(&server, &ada.token, Method::GET, me, None).await;
    assert_eq!((status, &profile["username"], &profile["email"]), (200, &json!("ada"), &json!("ada@example.org")), "{profile}");
    assert!(!profile.to_string().contains("argon2"));
    let change = json!({ "display_name": "Ada Lovelace", "bio": "I like engines.", "is_listed": true, "email": null });
    let (status, changed) = ask(&server, &ada.token, Method::PATCH, me, Some(change)).await;
    assert_eq!((status, &changed["display_name"], &changed["email"]), (200, &json!("Ada Lovelace"), &json!(null)), "{changed}");
    for wrong in [
        json!({}),
        json!({ "is_superuser": true }),
        json!({ "is_active": false }),
        json!({ "username": "root" }),
        json!({ "display_name": "" }),
        json!({ "email": "ada" }),
        json!({ "bio": "x".repeat(2_001) }),
    ] {
        assert_eq!(ask(&server, &ada.token, Method::PATCH, me, Some(wrong.clone())).await.0, 422, "LOG-18 {wrong}");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM users WHERE is_superuser").await, 1, "LOG-18");
    let taken = ask(&server, &ada.token, Method::PATCH, me, Some(json!({ "email": "ROOT@example.org" }))).await;
    assert_eq!((taken.0, &taken.1["code"]), (409, &json!("conflict")), "LOG-11");
    let reader = server.sign_in_with("bob", "memories:read").await;
    assert_eq!(ask(&server, &reader.token, Method::PATCH, me, Some(json!({ "bio": "x" }))).await.0, 403);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_new_password_ends_everything_that_the_old_one_began(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let ada = own(&server, "ada").await;
    let path = "/api/users/me/password";
    let body = |current: &str, new: &str| Some(json!({ "current_password": current, "new_password": new }));

    for (current, new, field) in [
        ("wrong password", "five other words instead", "current_password"),
        (PASSWORD, "short", "new_password"),
        (PASSWORD, "iloveyou", "new_password"),
    ] {
        let (status, answer) = ask(&server, &ada.token, Method::POST, path, body(current, new)).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(field)), "LOG-10");
    }
    let bob = server.sign_in("bob").await;
    assert_eq!(ask(&server, &bob.token, Method::POST, path, body("", "five other words instead")).await.0, 409, "UTK-09");

    assert_eq!(ask(&server, &ada.token, Method::POST, path, body(PASSWORD, "five other words instead")).await.0, 204);

    assert!(!server.is_welcome_at(&replica.url, &ada.token).await, "REF-09");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*ada.refresh_token), ("client_id", &*ada.client_id)];
    assert_eq!(server.post("/token").form(&form).send().await.expect("an answer").status(), 400, "REF-09");
    assert_eq!(ada.browser.get("/connections").await.status, StatusCode::SEE_OTHER, "REF-09: signed out everywhere");
    assert_eq!(ada.browser.try_sign_in("ada", PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    ada.browser.sign_in("ada", "five other words instead").await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_account_deletes_itself_with_its_key(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = own(&server, "ada").await;
    let wrong = ask(&server, &ada.token, Method::DELETE, "/api/users/me", Some(json!({ "password": "wrong password" }))).await;
    assert_eq!(wrong.0, 422);
    assert_eq!(ask(&server, &ada.token, Method::DELETE, "/api/users/me", Some(json!({}))).await.0, 422);

    assert_eq!(ask(&server, &ada.token, Method::DELETE, "/api/users/me", Some(json!({ "password": PASSWORD }))).await.0, 204);

    assert!(!server.is_welcome_at(&server.url, &ada.token).await, "JWT-09");
    assert_eq!(number(&pool, "SELECT count(*) FROM users WHERE username = 'ada'").await, 0);
    assert_eq!(number(&pool, "SELECT count(*) FROM sessions").await, 0);
    let bob = server.sign_in("bob").await;
    assert_eq!(
        ask(&server, &bob.token, Method::DELETE, "/api/users/me", Some(json!({}))).await.0,
        204,
        "without a password none is asked for"
    );
    let eve = server.sign_in("eve").await;
    assert_eq!(ask(&server, &eve.token, Method::DELETE, "/api/users/me", None).await.0, 204, "nor a body");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_directory_lists_who_wants_to_be_found(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let reader = server.sign_in("reader").await;
    for name in ["ada", "adele", "hidden"] {
        let person = server.sign_in(name).await;
        if name != "hidden" {
            let listed = json!({ "is_listed": true, "display_name": format!("{name} the Great") });
            assert_eq!(ask(&server, &person.token, Method::PATCH, "/api/users/me", Some(listed)).await.0, 200);
        }
    }
    let names = async |query: &str| {
        let (status, page) = ask(&server, &reader.token, Method::GET, &format!("/api/users?{query}"), None).await;
        assert_eq!(status, 200, "{page}");
        let found: Vec<String> = page["users"].as_array().expect("users").iter().map(|user| word(&user["username"])).collect();
        (found, page["next_cursor"].clone())
    };

    assert_eq!(names("").await.0, ["ada", "adele", "reader"], "the caller is always found");
    assert_eq!(names("query=AD").await.0, ["ada", "adele", "reader"]);
    assert_eq!(names("query=ada").await.0, ["ada"]);
    assert_eq!(names("query=great").await.0, ["ada", "adele"]);
    let (first, cursor) = names("limit=2").await;
    let (second, end) = names(&format!("limit=2&cursor={}", word(&cursor))).await;
    assert_eq!((first.len(), second, end), (2, vec!["reader".to_owned()], json!(null)));
    for wrong in ["limit=0", "limit=x", "other=1", "cursor=x"] {
        assert_eq!(ask(&server, &reader.token, Method::GET, &format!("/api/users?{wrong}"), None).await.0, 422, "{wrong}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn acts_are_logged_for_the_person_and_for_administrators(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = own(&server, "ada").await;
    let eve = server.sign_in("eve").await;
    let events = |page: &Value| -> Vec<String> {
        page["events"].as_array().expect("events").iter().map(|event| word(&event["event"])).collect()
    };

    let (_, page) = ask(&server, &ada.token, Method::GET, "/api/users/me/activity", None).await;
    assert_eq!(events(&page), ["tokens_issued", "authorization_granted", "signed_in", "signed_up"]);
    assert_eq!(page["events"][0]["client_id"], ada.client_id);
    assert_eq!(page["events"][0]["address"], "127.0.0.1");
    let (_, eves) = ask(&server, &eve.token, Method::GET, "/api/users/me/activity", None).await;
    assert_eq!(events(&eves), ["user_token_issued"], "UTK-12");
    assert_eq!(eves["events"][0]["details"]["scopes"], json!(["memories:read", "memories:write"]), "UTK-12");

    let admin = async |query: &str| {
        let response = server
            .get(&format!("/api/admin/activity?{query}"))
            .basic_auth(ADMIN.0, Some(ADMIN.1))
            .send()
            .await
            .expect("an answer");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let (_, all) = admin("").await;
    assert!(events(&all).contains(&"client_registered".to_owned()) && events(&all).contains(&"user_token_issued".to_owned()));
    let (_, minted) = admin(&format!("event=user_token_issued&user_id={}", eve.user_id)).await;
    assert_eq!(events(&minted).len(), 1, "UTK-12: countable");
    assert_eq!(minted["events"][0]["client_id"], server.client_id, "UTK-12");
    let (_, first) = admin("limit=2").await;
    let (_, second) = admin(&format!("limit=2&cursor={}", word(&first["next_cursor"]))).await;
    assert_ne!(first["events"][1]["id"], second["events"][0]["id"]);
    for wrong in ["user_id=x", "since=yesterday", "limit=0", "other=1"] {
        assert_eq!(admin(wrong).await.0, 422, "{wrong}");
    }
    assert_eq!(events(&admin("until=2020-01-01T00:00:00Z").await.1).len(), 0);
    let refused = server.get("/api/admin/activity").bearer_auth(&ada.token).send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_account_is_linked_by_its_person_and_unlinked(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = Browser::of(&server, "ada").await;
    let eve = Browser::of(&server, "eve").await;
    let mint = async |body: Value| {
        let response = server.user_token(body).await;
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let named = json!({ "username": "ada" });
    let (status, body) = mint(named.clone()).await;
    assert_eq!((status, &body["error"]), (409, &json!("account_link_required")), "UTK-04, UTK-11");

    let read = server.flow().with("scope", Some("memories:read"));
    let (_, tokens) = server.exchange(&read, &ada.code(&read).await).await;
    let (status, linked) = mint(named.clone()).await;
    assert_eq!((status, &linked["scope"]), (200, &json!("memories:read")), "UTK-11: no more than was allowed");
    assert_eq!(mint(json!({ "username": "ada", "scope": "memories:write" })).await.1["error"], "invalid_scope", "UTK-11");
    assert_eq!(mint(json!({ "username": "eve" })).await.0, 409, "UTK-11: nobody else");
    assert_eq!(mint(json!({ "username": "ada", "email": "eve@example.org" })).await.0, 409, "UTK-05");
    let (other_id, other_secret) = server.register_client("Other", true).await;
    assert_eq!(
        mint(json!({ "username": "ada", "client_id": other_id, "client_secret": other_secret })).await.0,
        409,
        "UTK-11: no other client"
    );

    let page = ada.get("/connections").await;
    ada.post("/connections", &[("csrf", &page.field("csrf")), ("client_id", &server.client_id)]).await;
    for token in [&tokens["access_token"], &linked["access_token"]] {
        assert!(!server.is_welcome_at(&server.url, &word(token)).await, "UTK-11");
    }
    assert_eq!(mint(named).await.0, 409, "UTK-11: unlinked");
    drop(eve);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_consent_without_tokens_is_a_connection(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = own(&server, "ada").await;
    ada.browser.decide(&server.flow().with("scope", Some("memories:read")), "allow").await;

    let (_, page) = ask(&server, &ada.token, Method::GET, "/api/connections", None).await;
    let listed: Vec<&str> =
        page["connections"].as_array().expect("connections").iter().filter_map(|it| it["client_id"].as_str()).collect();
    assert!(listed.contains(&server.client_id.as_str()), "REV-08: it lets the client name its person");

    assert_eq!(ask(&server, &ada.token, Method::DELETE, &format!("/api/connections/{}", server.client_id), None).await.0, 204);
    assert_eq!(server.user_token(json!({ "username": "ada" })).await.status(), 409, "UTK-11");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nobodys_name_is_somebody_elses_address(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = own(&server, "ada").await;
    let sign_up = async |username: &str, email: Value| {
        let body = json!({ "username": username, "email": email, "password": PASSWORD });
        server.post("/api/users").json(&body).send().await.expect("an answer").status().as_u16()
    };

    assert_eq!(sign_up("Ada@Example.org", json!(null)).await, 409, "LOG-11");
    assert_eq!(sign_up("eve@example.org", json!("eve@example.org")).await, 201, "one's own is fine");
    assert_eq!(sign_up("mallory", json!("EVE@example.org")).await, 409, "LOG-11");
    let change = Some(json!({ "email": "eve@example.org" }));
    assert_eq!(ask(&server, &ada.token, Method::PATCH, "/api/users/me", change).await.0, 409, "LOG-11");
    let named = server.user_token(json!({ "username": "ada@example.org", "create_if_not_exists": true })).await;
    assert_eq!(named.status(), 409, "UTK-04");
    ada.browser.sign_in("ADA@example.org", PASSWORD).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_administrator_is_never_linked(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let root = Browser::new(&server.url);
    root.sign_in(ADMIN.0, ADMIN.1).await;
    root.decide(&server.flow(), "allow").await;

    for name in ["root", "ROOT", "ｒoot", "root\u{200b}", " root", "root@example.org"] {
        let response = server.user_token(json!({ "username": name, "create_if_not_exists": true })).await;
        assert!(matches!(response.status().as_u16(), 400 | 403), "UTK-03 {name:?} {}", response.status());
    }
    for email in ["Root@Example.org", "root+x@example.org", "r.o.o.t@example.org"] {
        let response = server.user_token(json!({ "username": "someone", "email": email, "create_if_not_exists": true })).await;
        assert_eq!(response.status(), 403, "UTK-03 {email}");
    }
    let refused = "SELECT count(*) FROM audit_events WHERE event = 'user_token_refused'";
    assert!(number(&pool, refused).await >= 5, "UTK-03: logged");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn analytics_count_ones_own_memories(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    for (text, tags) in [("One.", json!(["tea", "kitchen"])), ("Two.", json!(["tea"])), ("Three.", json!([]))] {
        server.call(&ada, "submit_memory", json!({ "text": text, "tags": tags, "category": "notes" })).await;
    }
    server.publish(&ada, "Four.").await;
    server.publish(&eve, "Not Ada's.").await;

    let (status, figures) = ask(&server, &ada.token, Method::GET, "/api/users/me/analytics", None).await;

    assert_eq!(
        (status, &figures["memories"]),
        (200, &json!({ "total": 4, "public": 1, "shared": 0, "aggregate": 0, "private": 3, "expired": 0 })),
        "{figures}"
    );
    assert_eq!(figures["tags"], json!([{ "tag": "tea", "count": 2 }, { "tag": "kitchen", "count": 1 }]));
    assert_eq!(figures["categories"], json!([{ "category": "notes", "count": 3 }]));
    assert_eq!(figures["months"][0]["count"], 4);
}
