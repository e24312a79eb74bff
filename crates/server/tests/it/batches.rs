//! Many memories at once.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{TestServer, number, word};

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_batch_is_stored_as_a_whole_in_its_order(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let memories: Vec<Value> = (0..1_000)
        .map(|n| json!({ "text": format!("memory number {n}"), "tags": [format!("t{n}"), "all"], "category": (n % 2 == 0).then_some("even") }))
        .collect();

    let answer = server.call(&ada, "submit_memories", json!({ "memories": memories })).await;

    assert_eq!((&answer["created"], &answer["failed"]), (&json!(1_000), &json!(0)));
    for (index, result) in answer["results"].as_array().expect("results").iter().enumerate() {
        assert_eq!(result["index"], index);
        assert_eq!(result["memory"]["text"], format!("memory number {index}"));
        assert_eq!(result["memory"]["tags"], json!([format!("t{index}"), "all"]));
        assert_eq!(result["memory"]["category"], if index % 2 == 0 { json!("even") } else { Value::Null });
    }
    let one = word(&answer["results"][417]["memory"]["id"]);
    let read = server.call(&ada, "get_memory", json!({ "memory_id": one })).await;
    assert_eq!((&read["text"], &read["tags"]), (&json!("memory number 417"), &json!(["t417", "all"])));
    let found = server.call(&ada, "query_memory", json!({ "query": "417", "mode": "keyword" })).await;
    assert_eq!(
        (&found["total_found"], &found["memories"][0]["id"]),
        (&json!(1), &json!(one)),
        "its own words, and nobody else's"
    );
    assert_eq!(server.fail(&ada, "submit_memories", json!({ "memories": [] })).await.0, 422);
    let many = vec![json!({ "text": "x" }); 1_001];
    assert_eq!(server.fail(&ada, "submit_memories", json!({ "memories": many })).await.0, 422);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn one_wrong_memory_stops_the_batch_unless_it_may_go_on(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let nowhere = "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11";
    for (wrong, field) in [
        (json!({ "text": "" }), "text"),
        (json!({ "tags": [] }), "text"),
        (json!({ "text": "a", "user_id": nowhere }), "user_id"),
        (json!({ "text": "a", "expiration_date": "2001-01-01T00:00:00Z" }), "expiration_date"),
        (json!({ "text": "a", "tags": ["b", ""] }), "tags[1]"),
        (json!({ "text": "a", "shared_with": { "groups": [nowhere] } }), "shared_with.groups"),
    ] {
        let memories = json!([{ "text": "right" }, wrong, { "text": "right too" }]);
        let (status, stopped) = server.try_call(&ada, "submit_memories", json!({ "memories": memories })).await;
        assert_eq!((status.as_u16(), &stopped["errors"][0]["field"]), (422, &json!(format!("memories[1].{field}"))), "{stopped}");
        assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 0, "nothing is stored");

        let went_on = server.call(&ada, "submit_memories", json!({ "memories": memories, "on_error": "continue" })).await;
        assert_eq!((&went_on["created"], &went_on["failed"]), (&json!(2), &json!(1)));
        let refused = &went_on["results"][1];
        assert_eq!((&refused["index"], &refused["error"]["code"]), (&json!(1), &json!("invalid")));
        assert_eq!(refused["error"]["errors"][0]["field"], field, "{refused}");
        sqlx::query("DELETE FROM memories").execute(&pool).await.expect("an empty table");
    }
}
