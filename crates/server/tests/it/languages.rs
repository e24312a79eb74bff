//! The server's pages in the reader's language.

use reqwest::{Method, StatusCode};
use sqlx::PgPool;

use crate::kit::TestServer;
use crate::kit::browser::{Browser, PASSWORD, Page};

async fn german(browser: &Browser, method: Method, path: &str, form: &[(&str, &str)]) -> Page {
    let request = browser.request(method, path).header("accept-language", "de-DE,de;q=0.9,en;q=0.5");
    browser.send(if form.is_empty() { request } else { request.form(form) }).await
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn pages_speak_the_language_that_the_browser_likes_best(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::new(&server.url);
    browser.register("ada").await;

    let login = german(&browser, Method::GET, "/login", &[]).await;
    assert!(login.body.contains(r#"<html lang="de">"#) && login.body.contains("Anmelden"), "{}", login.body);
    assert!(!login.body.contains("Sign in") && !login.body.contains("Password"));
    let csrf = login.field("csrf");
    let form = [("csrf", csrf.as_str()), ("username", "ada"), ("password", "wrong password")];
    let refused = german(&browser, Method::POST, "/login", &form).await;
    assert!(refused.body.contains("Benutzername oder Passwort stimmt nicht."), "{}", refused.body);
    let form = [("csrf", csrf.as_str()), ("username", "a b"), ("email", "no address"), ("password", "short")];
    let refused = german(&browser, Method::POST, "/signup", &form).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    for text in ["Ein Benutzername hat", "Das ist keine E-Mail-Adresse", "Ein Passwort hat 8 bis 1024"] {
        assert!(refused.body.contains(text), "{text}: {}", refused.body);
    }
    assert!(!refused.body.contains("must"), "{}", refused.body);
    let foreign = german(&browser, Method::POST, "/login", &[("csrf", "x")]).await;
    assert!(foreign.status == StatusCode::FORBIDDEN && foreign.body.contains("Dieses Formular gilt nicht mehr"));

    browser.sign_in("ada", PASSWORD).await;
    let question = german(&browser, Method::GET, &server.flow().path(), &[]).await;
    for text in ["Deine Erinnerungen schreiben", "Wer fragt", "Erlauben"] {
        assert!(question.body.contains(text), "{text}: {}", question.body);
    }
    let connections = german(&browser, Method::GET, "/connections", &[]).await;
    assert!(connections.body.contains("Keine Anwendung ist verbunden"), "{}", connections.body);
    let wrong = german(&browser, Method::GET, &server.flow().with("client_id", None).path(), &[]).await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.body.contains("Die Anwendung fragt auf die falsche Weise"));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_application_that_knows_its_person_names_the_language(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let browser = Browser::new(&server.url);
    browser.register("ada").await;
    let flow = server.flow().with("ui_locales", Some("fr de"));

    let to_login = browser.get(&flow.path()).await;
    let login = browser.get(to_login.location()).await;
    assert!(login.body.contains(r#"<html lang="de">"#), "{}", login.body);
    let (csrf, next) = (login.field("csrf"), login.field("next"));
    let wrong = [("csrf", csrf.as_str()), ("next", next.as_str()), ("username", "ada"), ("password", "wrong password")];
    assert!(browser.post("/login", &wrong).await.body.contains("Benutzername oder Passwort stimmt nicht."));
    browser.sign_in("ada", PASSWORD).await;
    assert!(browser.get(&flow.path()).await.body.contains("Erlauben"));

    // What the application says comes before what the browser likes.
    let english = german(&browser, Method::GET, &server.flow().with("ui_locales", Some("en")).path(), &[]).await;
    assert!(english.body.contains("Allow"), "{}", english.body);
    let metadata = server.get("/.well-known/oauth-authorization-server").send().await.expect("an answer");
    let metadata: serde_json::Value = metadata.json().await.expect("JSON");
    assert_eq!(metadata["ui_locales_supported"], serde_json::json!(["en", "de"]));
}
