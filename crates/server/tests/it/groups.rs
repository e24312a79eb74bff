//! Groups of people.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, number, word};

async fn ask(server: &TestServer, person: &Person, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = server.request(method, path).bearer_auth(&person.token).header("x-request-id", "same");
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_owner_makes_names_fills_and_deletes_a_group(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);

    let (status, group) = ask(&server, &ada, Method::POST, "/api/groups", Some(json!({ "name": "Family" }))).await;
    assert_eq!(
        (status, &group["name"], &group["owner_id"], &group["members"]),
        (201, &json!("Family"), &json!(ada.user_id), &json!([])),
        "{group}"
    );
    let path = format!("/api/groups/{}", word(&group["id"]));
    let member = format!("{path}/members/{}", bob.user_id);
    for _ in 0..2 {
        assert_eq!(ask(&server, &ada, Method::PUT, &member, None).await.0, 204);
    }
    let (_, renamed) = ask(&server, &ada, Method::PATCH, &path, Some(json!({ "name": "Friends" }))).await;
    assert_eq!((&renamed["name"], &renamed["members"]), (&json!("Friends"), &json!([bob.user_id])));
    assert_eq!(ask(&server, &bob, Method::GET, &path, None).await.1, renamed, "a member sees it as its owner does");
    for person in [&ada, &bob] {
        let (_, list) = ask(&server, person, Method::GET, "/api/groups", None).await;
        assert_eq!(list["groups"], json!([renamed]));
    }

    assert_eq!(ask(&server, &ada, Method::DELETE, &member, None).await.0, 204);
    assert_eq!(ask(&server, &ada, Method::DELETE, &member, None).await.0, 404, "they are not in it any more");
    assert_eq!(ask(&server, &ada, Method::DELETE, &path, None).await.0, 204);
    assert_eq!(ask(&server, &ada, Method::GET, &path, None).await.0, 404);
    for wrong in [json!({}), json!({ "name": "" }), json!({ "name": "a\nb" }), json!({ "name": "x", "owner_id": bob.user_id })] {
        assert_eq!(ask(&server, &ada, Method::POST, "/api/groups", Some(wrong.clone())).await.0, 422, "{wrong}");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM groups").await, 0);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn members_may_look_and_leave_and_to_strangers_it_is_not_there(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob, eve) = (server.sign_in("ada").await, server.sign_in("bob").await, server.sign_in("eve").await);
    let (_, group) = ask(&server, &ada, Method::POST, "/api/groups", Some(json!({ "name": "Family" }))).await;
    let path = format!("/api/groups/{}", word(&group["id"]));
    let member = |person: &Person| format!("{path}/members/{}", person.user_id);
    assert_eq!(ask(&server, &ada, Method::PUT, &member(&bob), None).await.0, 204);

    let name = || Some(json!({ "name": "Mine" }));
    for (method, path, body) in [
        (Method::PATCH, path.clone(), name()),
        (Method::DELETE, path.clone(), None),
        (Method::PUT, member(&eve), None),
        (Method::DELETE, member(&eve), None),
    ] {
        assert_eq!(ask(&server, &bob, method.clone(), &path, body.clone()).await.0, 403, "{method} {path}");
        let there = ask(&server, &eve, method.clone(), &path, body.clone()).await;
        let nowhere = path.replace(&word(&group["id"]), "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11");
        assert_eq!(there, ask(&server, &eve, method.clone(), &nowhere, body).await, "{method} {path}: the same answer");
        assert_eq!(there.0, 404, "{method} {path}");
    }
    assert_eq!(ask(&server, &eve, Method::GET, &path, None).await.0, 404);
    assert_eq!(ask(&server, &eve, Method::GET, "/api/groups", None).await.1["groups"], json!([]));
    let unknown = format!("{path}/members/6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11");
    assert_eq!(ask(&server, &ada, Method::PUT, &unknown, None).await.0, 404);
    assert_eq!(ask(&server, &ada, Method::PUT, &format!("{path}/members/x"), None).await.0, 404);
    let reader = Person { token: server.sign_in_with("ada", "memories:read").await.token, ..ada.clone() };
    assert_eq!(ask(&server, &reader, Method::POST, "/api/groups", name()).await.0, 403, "SCO-01");

    assert_eq!(ask(&server, &bob, Method::DELETE, &member(&bob), None).await.0, 204, "a member may leave");
    assert_eq!(ask(&server, &bob, Method::GET, &path, None).await.0, 404);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn groups_come_in_pages_and_go_with_their_owner(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for number in 0..5 {
        ask(&server, &ada, Method::POST, "/api/groups", Some(json!({ "name": format!("Group {number}") }))).await;
    }

    let (_, first) = ask(&server, &ada, Method::GET, "/api/groups?limit=3", None).await;
    let path = format!("/api/groups?limit=3&cursor={}", word(&first["next_cursor"]));
    let (_, second) = ask(&server, &ada, Method::GET, &path, None).await;
    let names = |page: &Value| -> Vec<String> {
        page["groups"].as_array().expect("groups").iter().map(|group| word(&group["name"])).collect()
    };
    assert_eq!([names(&first), names(&second)].concat(), ["Group 4", "Group 3", "Group 2", "Group 1", "Group 0"]);
    assert_eq!(second["next_cursor"], json!(null));
    assert_eq!(ask(&server, &ada, Method::GET, "/api/groups?cursor=x", None).await.0, 422);

    assert_eq!(ask(&server, &ada, Method::DELETE, "/api/users/me", Some(json!({}))).await.0, 204);
    assert_eq!(number(&pool, "SELECT count(*) FROM groups").await, 0);
}
