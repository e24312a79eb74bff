//! Memories as resources with entity tags.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, ids};

async fn get(server: &TestServer, person: &Person, path: &str, known: Option<&str>) -> Response {
    let request = server.get(path).bearer_auth(&person.token);
    let request = if let Some(tag) = known { request.header("if-none-match", tag) } else { request };
    request.send().await.expect("an answer")
}

fn tag(response: &Response) -> String {
    response.headers()["etag"].to_str().expect("text").to_owned()
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_memory_has_an_entity_tag_that_changes_with_it(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let id = server.remember(&ada, "I like my tea.").await;
    let path = format!("/api/memories/{id}");

    let first = get(&server, &ada, &path, None).await;
    let tag = tag(&first);
    assert!(first.headers()["cache-control"].to_str().expect("text").contains("private"));
    let body: Value = first.json().await.expect("JSON");
    assert_eq!(body, server.call(&ada, "get_memory", json!({ "memory_id": id })).await, "both doors read the same");

    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let again = get(&server, &ada, &path, Some(&known)).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert!(again.bytes().await.expect("a body").is_empty());
    }
    server.call(&ada, "update_memory", json!({ "memory_id": id, "category": "drinks" })).await;
    assert_eq!(get(&server, &ada, &path, Some(&tag)).await.status(), StatusCode::OK);
    for path in [path, "/api/memories/6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11".to_owned(), "/api/memories/x".to_owned()] {
        let hidden = get(&server, &eve, &path, Some(&tag)).await;
        assert_eq!((hidden.status(), hidden.headers().contains_key("etag")), (StatusCode::NOT_FOUND, false), "MEM-10 {path}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_list_takes_its_filters_as_parameters(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for (text, tags) in [("one", json!(["a", "b"])), ("two", json!(["a"])), ("three", json!([]))] {
        server.call(&ada, "submit_memory", json!({ "text": text, "tags": tags })).await;
    }

    for (query, data) in [
        ("", json!({})),
        ("?tags=a", json!({ "tags": ["a"] })),
        ("?tags=a&tags=b", json!({ "tags": ["a", "b"] })),
        ("?limit=2&order=asc&sort=updated_at", json!({ "limit": 2, "order": "asc", "sort": "updated_at" })),
        ("?permission=public", json!({ "permission": "public" })),
    ] {
        let page: Value = get(&server, &ada, &format!("/api/memories{query}"), None).await.json().await.expect("JSON");
        let expected = server.call(&ada, "get_memories", data).await;
        assert_eq!((ids(&page), &page["total"]), (ids(&expected), &expected["total"]), "{query}");
    }
    let first = get(&server, &ada, "/api/memories?limit=2", None).await;
    let again = get(&server, &ada, "/api/memories?limit=2", Some(&tag(&first))).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "a page that is not the last");
    let all = get(&server, &ada, "/api/memories/", None).await;
    assert_eq!(get(&server, &ada, "/api/memories", Some(&tag(&all))).await.status(), StatusCode::NOT_MODIFIED);
    for wrong in ["?limit=0", "?limit=x", "?sort=x", "?color=red", "?limit=1&limit=2", "?cursor=x", "?user_id=x"] {
        assert_eq!(get(&server, &ada, &format!("/api/memories{wrong}"), None).await.status(), 422, "{wrong}");
    }
}
