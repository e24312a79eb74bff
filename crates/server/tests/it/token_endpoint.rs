//! `/token` and `/revoke` as endpoints: who may ask, in which form, and what revocation ends.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use sqlx::PgPool;

use crate::kit::{Person, TestServer};

async fn answer(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    assert!(body["error_description"].is_string(), "{body}");
    (status, body["error"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_proves_who_it_is_in_exactly_one_way(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (other, other_secret) = server.register_client("Other", true).await;
    let (public, _) = server.register_client("Public", false).await;
    let (id, secret) = (server.client_id.clone(), server.client_secret.clone());
    let ask = |basic: Option<(&str, &str)>, body: &[(&str, &str)]| {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", "unknown")];
        form.extend(body);
        let request = server.post("/token").form(&form);
        basic.map_or(request.try_clone().expect("a copy"), |(id, secret)| request.basic_auth(id, Some(secret)))
    };

    for (request, expected) in [
        (ask(Some((&id, &secret)), &[]), refused(400, "invalid_grant")),
        (ask(Some((&id, &secret)), &[("client_id", &id)]), refused(400, "invalid_grant")),
        (ask(None, &[("client_id", &id), ("client_secret", &secret)]), refused(400, "invalid_grant")),
        (ask(None, &[("client_id", &public)]), refused(400, "invalid_grant")),
        (ask(None, &[]), refused(401, "invalid_client")),
        (ask(None, &[("client_id", &id)]), refused(401, "invalid_client")),
        (ask(None, &[("client_id", &id), ("client_secret", "wrong")]), refused(401, "invalid_client")),
        (ask(None, &[("client_id", &id), ("client_secret", &other_secret)]), refused(401, "invalid_client")),
        (ask(Some((&id, "")), &[]), refused(401, "invalid_client")),
        (ask(Some((&other, &secret)), &[]), refused(401, "invalid_client")),
        (ask(None, &[("client_id", &public), ("client_secret", "x")]), refused(401, "invalid_client")),
        (ask(Some((&public, "x")), &[]), refused(401, "invalid_client")),
        (ask(Some((&id, &secret)), &[("client_secret", &secret)]), refused(400, "invalid_request")),
        (ask(Some((&id, &secret)), &[("client_id", &other)]), refused(400, "invalid_request")),
    ] {
        assert_eq!(answer(request).await, expected, "TOK-09, TOK-11");
    }
    let encoded = ask(Some((&id.replace('-', "%2D"), &secret)), &[]);
    assert_eq!(answer(encoded).await, refused(400, "invalid_grant"), "TOK-10: RFC 6749 encodes both parts");
    let basic = ask(Some((&id, "wrong")), &[]).send().await.expect("an answer");
    assert!(basic.headers()["www-authenticate"].to_str().expect("text").starts_with("Basic "), "TOK-09");
    assert_eq!(basic.headers()["cache-control"], "no-store");
    let post = ask(None, &[("client_id", &id), ("client_secret", "wrong")]).send().await.expect("an answer");
    assert!(post.headers().get("www-authenticate").is_none(), "TOK-09: only where Basic was used");
    let bearer = ask(None, &[]).bearer_auth("x");
    assert_eq!(answer(bearer).await, refused(401, "invalid_client"), "TOK-09");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn only_the_listed_grant_types_work_and_only_in_the_body(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let (id, secret, token) = (server.client_id.as_str(), server.client_secret.as_str(), ada.refresh_token.as_str());
    let form = |body: String| server.post("/token").header("content-type", "application/x-www-form-urlencoded").body(body);
    let signed = |body: &str| form(body.to_owned()).basic_auth(id, Some(secret));

    for grant in ["password", "implicit", "client_credentials", "Authorization_code", "REFRESH_TOKEN", "x"] {
        let body = format!("grant_type={grant}&refresh_token={token}&username=ada&password=x");
        assert_eq!(answer(signed(&body)).await, refused(400, "unsupported_grant_type"), "TOK-12, TOK-14 {grant}");
    }
    for body in [
        String::new(),
        "grant_type=authorization_code&redirect_uri=https://app.example.com/cb".to_owned(),
        format!("refresh_token={token}"),
        "grant_type=refresh_token".to_owned(),
        format!("grant_type=&refresh_token={token}"),
        "grant_type=refresh_token&refresh_token=".to_owned(),
        format!("grant_type=refresh_token&grant_type=refresh_token&refresh_token={token}"),
        format!("grant_type=refresh_token&refresh_token={token}&refresh_token={token}"),
        format!("grant_type=refresh_token&refresh_token={token}&foo=1&foo=2"),
    ] {
        assert_eq!(answer(signed(&body)).await, refused(400, "invalid_request"), "TOK-12 {body}");
    }
    let everything = format!("grant_type=refresh_token&refresh_token={token}&client_id={id}&client_secret={secret}");
    let in_query = server.post(&format!("/token?{everything}")).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(answer(in_query).await.0, 400, "TOK-12: the query string is not looked at");
    let grant_in_query =
        server.post("/token?grant_type=refresh_token").basic_auth(id, Some(secret)).form(&[("refresh_token", token)]);
    assert_eq!(answer(grant_in_query).await, refused(400, "invalid_request"), "TOK-12");

    let with_unknown = format!("{everything}&foo=x&audience=y");
    let response = form(with_unknown).send().await.expect("an answer");
    assert_eq!(response.status(), 200, "unknown parameters are ignored, and nothing above used the token up");
}

/// The audience of an access token.
fn audience(answer: &Value) -> String {
    use base64::Engine as _;
    let token = answer["access_token"].as_str().expect("a token");
    let claims =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a part")).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    claims["aud"].as_str().expect("a text").to_owned()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_resource_decides_whom_the_token_is_for(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let mut refresh_token = server.sign_in("ada").await.refresh_token;
    let ask = |refresh_token: &str, resource: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("resource", resource)];
        server.post("/token").basic_auth(&server.client_id, Some(&server.client_secret)).form(&form)
    };

    let mcp = format!("{}/mcp", server.url);
    for foreign in ["https://evil.example/", "x", &format!("{mcp}/x"), &format!("{mcp}#x"), &server.url.replace("http", "HTTP")] {
        assert_eq!(answer(ask(&refresh_token, foreign)).await, refused(400, "invalid_target"), "AUT-10 {foreign}");
    }
    let slash = format!("{}/", server.url);
    for (resource, expected) in [(&mcp, &mcp), (&server.url, &server.url), (&slash, &server.url)] {
        let response: Value = ask(&refresh_token, resource).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(&audience(&response), expected, "RFC 8707");
        assert!(server.is_welcome_at(&server.url, response["access_token"].as_str().expect("a token")).await);
        refresh_token = response["refresh_token"].as_str().expect("a token").to_owned();
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn offline_access_is_ignored_when_asked_for(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;

    let mut refresh_token = String::new();
    for (asked, given) in [
        ("memories:read offline_access", "memories:read"),
        ("offline_access", "memories:read memories:write"),
        ("offline_access memories:write memories:read", "memories:read memories:write"),
    ] {
        let request = serde_json::json!({ "username": "ada", "create_if_not_exists": true, "scope": asked });
        let response: Value = server.user_token(request).await.json().await.expect("JSON");
        assert_eq!(response["scope"], given, "{asked}");
        refresh_token = response["refresh_token"].as_str().expect("a token").to_owned();
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), ("scope", "memories:read offline_access")];
    let request = server.post("/token").basic_auth(&server.client_id, Some(&server.client_secret)).form(&form);
    let response: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(response["scope"], "memories:read");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_body_that_is_no_form_is_refused(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let json = serde_json::json!({ "grant_type": "refresh_token", "refresh_token": ada.refresh_token });
    let form = format!("grant_type=refresh_token&refresh_token={}", ada.refresh_token);

    for path in ["/token", "/revoke"] {
        let post = || server.post(path).basic_auth(&server.client_id, Some(&server.client_secret));
        for request in [
            post().json(&json),
            post().body(form.clone()),
            post().header("content-type", "text/plain").body(form.clone()),
            post().header("content-type", "multipart/form-data; boundary=x").body(form.clone()),
            post().header("content-encoding", "gzip").form(&[("token", "x")]),
        ] {
            assert_eq!(answer(request).await, refused(415, "invalid_request"), "TOK-13, INP-06 {path}");
        }
        let large =
            post().header("content-type", "application/x-www-form-urlencoded").body(format!("token={}", "x".repeat(1 << 20)));
        assert_eq!(answer(large).await, refused(413, "invalid_request"), "TOK-13 {path}");
        let not_utf8 =
            post().header("content-type", "application/x-www-form-urlencoded").body(b"token=\xff\xfe&grant_type=%ff".to_vec());
        assert_eq!(answer(not_utf8).await.0, 400, "INP-03 {path}");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let response = server.request(method, path).send().await.expect("an answer");
            assert_eq!(
                (response.status().as_u16(), response.headers()["allow"].to_str().ok()),
                (405, Some("POST")),
                "TOK-13 {path}"
            );
        }
    }
    assert!(server.is_welcome_at(&server.url, &ada.token).await);
    assert_eq!(server.refresh(&ada.refresh_token).await.status(), 200, "nothing above used the token up");
}

/// Revokes with the web application's credentials.
async fn revoke(server: &TestServer, form: &[(&str, &str)]) -> Response {
    let request = server.post("/revoke").basic_auth(&server.client_id, Some(&server.client_secret)).form(form);
    request.send().await.expect("an answer")
}

async fn is_alive(server: &TestServer, person: &Person) -> bool {
    server.is_welcome_at(&server.url, &person.token).await
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn revoking_a_refresh_token_ends_its_family_at_every_replica(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let (ada, other) = (server.sign_in("ada").await, server.sign_in("ada").await);
    let renewed: Value = server.refresh(&ada.refresh_token).await.json().await.expect("JSON");
    let (token, refresh) =
        (renewed["access_token"].as_str().expect("a token"), renewed["refresh_token"].as_str().expect("a token"));

    let response = revoke(&server, &[("token", refresh), ("token_type_hint", "refresh_token")]).await;

    assert_eq!(response.status(), 200, "REV-01");
    for url in [&server.url, &replica.url] {
        for token in [token, &ada.token] {
            assert!(!server.is_welcome_at(url, token).await, "REV-01 {url}");
        }
        assert_eq!(server.refresh_at(url, refresh).await.status(), 400, "REV-01 {url}");
    }
    assert!(is_alive(&server, &other).await, "the other grant lives");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_used_refresh_token_can_still_end_its_family(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    assert_eq!(server.refresh(&ada.refresh_token).await.status(), 200);

    assert_eq!(revoke(&server, &[("token", &ada.refresh_token)]).await.status(), 200);

    assert!(!is_alive(&server, &ada).await, "REV-01");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn revoking_an_access_token_ends_it_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let ada = server.sign_in("ada").await;
    let renewed: Value = server.refresh(&ada.refresh_token).await.json().await.expect("JSON");

    assert_eq!(revoke(&server, &[("token", &ada.token), ("token_type_hint", "access_token")]).await.status(), 200, "REV-01");

    for url in [&server.url, &replica.url] {
        assert!(!server.is_welcome_at(url, &ada.token).await, "REV-01 {url}");
        assert!(server.is_welcome_at(url, renewed["access_token"].as_str().expect("a token")).await, "the later one lives");
    }
    assert_eq!(server.refresh(renewed["refresh_token"].as_str().expect("a token")).await.status(), 200);
    replica.stop().await;
    let restarted = server.replica().await;
    assert!(!server.is_welcome_at(&restarted.url, &ada.token).await, "REV-06: a new replica knows it too");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn revoking_what_is_no_token_is_no_error(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    revoke(&server, &[("token", &ada.refresh_token)]).await;

    for form in [
        vec![("token", ada.refresh_token.as_str())],
        vec![("token", &ada.token)],
        vec![("token", "unknown")],
        vec![("token", "a.b.c"), ("token_type_hint", "access_token")],
        vec![("token", "unknown"), ("token_type_hint", "saml")],
    ] {
        let response = revoke(&server, &form).await;
        assert_eq!((response.status().as_u16(), response.text().await.expect("a body")), (200, String::new()), "REV-02 {form:?}");
    }
    let missing = revoke(&server, &[]).await;
    assert_eq!(missing.status(), 400, "token is missing");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_client_cannot_revoke_anothers_tokens(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let (other, other_secret) = server.register_client("Other", true).await;
    let (public, _) = server.register_client("Public", false).await;

    for token in [&ada.token, &ada.refresh_token] {
        let foreign = server.post("/revoke").basic_auth(&other, Some(&other_secret)).form(&[("token", token)]);
        assert_eq!(foreign.send().await.expect("an answer").status(), 200, "REV-03");
        let nameless = server.post("/revoke").form(&[("token", token), ("client_id", &public)]);
        assert_eq!(nameless.send().await.expect("an answer").status(), 200, "REV-03");
        for request in [
            server.post("/revoke").form(&[("token", token)]),
            server.post("/revoke").form(&[("token", token), ("client_id", &server.client_id)]),
            server.post("/revoke").basic_auth(&server.client_id, Some("wrong")).form(&[("token", token)]),
        ] {
            assert_eq!(answer(request).await, refused(401, "invalid_client"), "REV-03");
        }
    }

    assert!(is_alive(&server, &ada).await, "REV-03");
    assert_eq!(server.refresh(&ada.refresh_token).await.status(), 200, "REV-03");
}
