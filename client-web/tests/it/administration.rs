//! Administering the Picard server from the web application.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{Browser, House, Trouble};

const RIGHT: [(&str, &str); 2] = [("username", "admin"), ("password", "correct")];
const USER: &str = "/admin/users/00000000-0000-0000-0000-000000000000";

/// Somebody who has typed the administrator's password.
async fn administrator(house: &House) -> Browser {
    let browser = house.member("ada").await;
    browser.get("/admin").await;
    assert_eq!(browser.post("/admin", &RIGHT).await.location(), "/admin");
    browser
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn nobody_administers_without_the_password_of_the_server(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;

    assert!(browser.get("/admin").await.contains(r#"type="password""#));
    for path in ["/admin/users", "/admin/clients"] {
        assert_eq!(browser.get(path).await.location(), "/admin", "{path}");
    }
    assert_eq!(browser.post(USER, &[("to", "deleted")]).await.location(), "/admin");
    let wrong = browser.post("/admin", &[("username", "admin"), ("password", "guess")]).await;
    assert!(
        wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.contains("knows no administrator") && !wrong.contains("guess")
    );
    for _ in 0..9 {
        browser.post("/admin", &[("username", "admin"), ("password", "guess")]).await;
    }
    assert_eq!(browser.post("/admin", &RIGHT).await.status, StatusCode::TOO_MANY_REQUESTS, "LOG-07");
    assert!(house.stranger().get("/admin").await.location().starts_with("/login"));
    assert!(house.server.memo().administered.is_empty());
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_administrator_sees_figures_people_and_applications(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = administrator(&house).await;

    assert!(browser.get("/admin").await.contains("<dd>1234</dd>"));
    let users = browser.get("/admin/users").await;
    assert!(users.contains("grace &#60;b&#62;") && users.contains("cursor=more+%26+more"), "{}", users.body);
    assert!(browser.get("/admin/clients").await.contains("My &#60;b&#62;editor"));
    for to in ["inactive", "superuser", "signed-out", "deleted"] {
        assert_eq!(browser.post(USER, &[("to", to)]).await.location(), "/admin/users?done=saved", "{to}");
    }
    let client = "/admin/clients/00000000-0000-0000-0000-00000000000e".to_owned();
    assert!(browser.post(&client, &[("to", "new-secret")]).await.contains("a-new-secret-shown-once"));
    assert!(!browser.get("/admin/clients").await.contains("a-new-secret-shown-once"), "it is shown once");
    browser.post(&client, &[("to", "deleted")]).await;

    assert_eq!(house.server.memo().administered.len(), 5);
    house.server.trouble("/api/admin", Trouble::Says(409, json!({"code": "conflict"})));
    let last = browser.post(USER, &[("to", "inactive")]).await;
    assert!(last.status == StatusCode::CONFLICT && last.contains("last active administrator"), "{}", last.body);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn this_application_cannot_be_cut_off_by_a_button(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = administrator(&house).await;
    let own = format!("/admin/clients/{}", crate::kit::CLIENT_ID);

    let list = browser.get("/admin/clients").await;
    assert!(list.contains("This is the application that you are using"));
    assert_eq!(list.body.matches(r#"value="deleted""#).count(), 1, "the other one alone can be deleted");
    for to in ["new-secret", "deleted"] {
        let page = browser.post(&own, &[("to", to)]).await;
        assert!(page.status == StatusCode::CONFLICT && page.contains("everybody would be cut off"), "{to}: {}", page.body);
    }
    assert!(house.server.memo().administered.is_empty());
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_takes_something_away_asks_first(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = administrator(&house).await;

    let users = browser.get("/admin/users").await;

    for to in ["inactive", "signed-out", "deleted", "superuser"] {
        let (before, _) = users.body.split_once(&format!(r#"value="{to}""#)).expect("a form");
        let opened = before.rfind("<details").expect("a question");
        assert!(!before[opened..].contains("</details>"), "{to} stands behind a question");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn applications_are_registered_and_changed_from_here(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = administrator(&house).await;
    assert!(browser.get("/admin/clients/new").await.contains(r#"name="redirect_uris""#));
    let uris = "https://a.example/cb\r\nhttps://b.example/cb";
    let fields =
        [("client_name", " Reader "), ("redirect_uris", uris), ("read", "yes"), ("write", "yes"), ("confidential", "yes")];

    let registered = browser.post("/admin/clients", &fields).await;

    assert!(registered.contains(crate::kit::CLIENT_SECRET), "the secret is shown this once: {}", registered.body);
    let client = house.server.memo().client.clone();
    assert_eq!((&client["client_name"], &client["is_confidential"]), (&json!("Reader"), &json!(true)));
    assert_eq!(client["redirect_uris"], json!(["https://a.example/cb", "https://b.example/cb"]));
    house.server.memo().client["scopes"] = json!(["memories:read", "memories:write", "memories:admin"]);
    let path = format!("/admin/clients/{}", crate::kit::CLIENT_ID);
    assert!(browser.get(&path).await.text_area().contains("https://b.example/cb"));
    let fields = [("to", "changed"), ("client_name", "Writer"), ("redirect_uris", "https://c.example/cb"), ("write", "yes")];
    assert_eq!(browser.post(&path, &fields).await.location(), "/admin/clients?done=saved");
    let client = house.server.memo().client.clone();
    assert_eq!(client["client_name"], "Writer");
    assert_eq!(client["scopes"], json!(["memories:write", "memories:admin"]), "what the form does not show stays");
    let wrong = json!({"field": "redirect_uris[0]", "message": "must be an https URL"});
    house.server.trouble("/api/admin", Trouble::Says(422, json!({"code": "invalid", "errors": [wrong]})));
    let refused = browser.post(&path, &fields).await;
    assert!(refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.contains("must be an https URL"), "{}", refused.body);
    assert!(refused.text_area().contains("https://c.example/cb"), "nothing that was typed is lost");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_password_is_sealed_bound_to_the_person_and_forgotten_web_06(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = administrator(&house).await;
    let plain = "SELECT count(*) FROM sessions WHERE data::text LIKE '%correct%'";
    let sealed = "SELECT count(*) FROM sessions WHERE data -> 'administrator' IS NOT NULL";

    assert_eq!((house.number(plain).await, house.number(sealed).await), (0, 1));
    let grace = house.member("grace").await;
    house
        .execute(
            "UPDATE sessions SET data = data || (SELECT jsonb_build_object('administrator', other.data -> 'administrator')
             FROM sessions other WHERE other.data -> 'administrator' IS NOT NULL)",
        )
        .await;
    assert_eq!(grace.get("/admin/users").await.location(), "/admin", "a copied row is worth nothing");
    assert_eq!(browser.get("/admin/users").await.status, StatusCode::OK);

    house
        .execute(
            "UPDATE sessions SET data = jsonb_set(data, '{administrator,until}', '1') WHERE data -> 'administrator' IS NOT NULL",
        )
        .await;
    assert_eq!(browser.get("/admin/users").await.location(), "/admin", "a quarter of an hour is over");
    assert_eq!(house.number(sealed).await, 0);
    browser.get("/admin").await;
    browser.post("/admin", &RIGHT).await;
    browser.get("/admin").await;
    assert_eq!(browser.post("/admin/close", &[]).await.location(), "/admin?done=administration-closed");
    assert_eq!(house.number(sealed).await, 0);
}
