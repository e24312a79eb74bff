//! Changing memories: what stays, what is cleared, and what happens when several change one at once.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{TestServer, ids, number};

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_update_keeps_what_it_does_not_name(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let first =
        json!({ "text": "Tea at four.", "tags": ["tea"], "category": "habits", "expiration_date": "2999-01-01T00:00:00Z" });
    let before = server.call(&ada, "submit_memory", first).await;
    let id = &before["id"];

    for (version, (member, value)) in (2_i64..).zip([
        ("text", json!("Tea at five.")),
        ("permission", json!("public")),
        ("tags", json!(["tea", "late"])),
        ("category", json!("drinks")),
        ("expiration_date", json!("2998-01-01T00:00:00.000000+00:00")),
    ]) {
        let mut expected = server.call(&ada, "get_memory", json!({ "memory_id": id })).await;
        let after = server.call(&ada, "update_memory", json!({ "memory_id": id, member: value })).await;

        expected[member] = value;
        expected["version"] = version.into();
        assert!(after["updated_at"].as_str() > expected["updated_at"].as_str(), "{member}");
        expected["updated_at"] = after["updated_at"].clone();
        assert_eq!(after, expected, "{member}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn null_clears_what_can_be_empty_and_nothing_else(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let first =
        json!({ "text": "Tea at four.", "tags": ["tea"], "category": "habits", "expiration_date": "2999-01-01T00:00:00Z" });
    let id = server.call(&ada, "submit_memory", first).await["id"].take();

    for member in ["text", "permission", "tags", "version"] {
        assert_eq!(server.blamed(&ada, "update_memory", json!({ "memory_id": id, "category": "x", member: null })).await, member);
    }
    let cleared = json!({ "memory_id": id, "category": null, "expiration_date": null, "tags": [] });
    let after = server.call(&ada, "update_memory", cleared).await;

    assert_eq!((&after["category"], &after["expiration_date"], &after["tags"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!((&after["text"], &after["version"]), (&json!("Tea at four."), &json!(2)));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_update_has_to_change_something(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Tea at four.").await;

    for data in [json!({ "memory_id": id }), json!({ "memory_id": id, "version": 1 })] {
        assert_eq!(server.fail(&ada, "update_memory", data).await, (422, "invalid".into()));
    }

    assert_eq!(server.call(&ada, "get_memory", json!({ "memory_id": id })).await["version"], 1);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_changed_text_is_found_by_its_new_meaning_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "turquoise bicycle").await;

    server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "copper saucepan" })).await;

    let score = async |query: &str| {
        let found = server.call(&ada, "query_memory", json!({ "query": query })).await;
        assert_eq!(ids(&found), std::slice::from_ref(&id));
        found["memories"][0]["score"].as_f64().expect("a score")
    };
    assert!(score("copper saucepan").await > 0.99, "FLT-20: the vector is the new text's");
    assert!(score("turquoise bicycle").await < 0.5, "FLT-20: the old one's is gone");
    assert_eq!(number(&pool, "SELECT count(*) FROM memory_embeddings").await, 1);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_outdated_version_is_refused_and_changes_nothing(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Tea at four.").await;
    server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "Tea at five.", "version": 1 })).await;
    let before = server.call(&ada, "get_memory", json!({ "memory_id": id })).await;

    for version in [1, 3, 0, -1, i64::MAX] {
        let data = json!({ "memory_id": id, "text": "Tea at six.", "version": version });
        assert_eq!(server.fail(&ada, "update_memory", data).await, (412, "version_mismatch".into()), "{version}");
    }
    assert_eq!(server.blamed(&ada, "update_memory", json!({ "memory_id": id, "text": "x", "version": "2" })).await, "version");

    assert_eq!(server.call(&ada, "get_memory", json!({ "memory_id": id })).await, before);
    let changed = server.call(&ada, "update_memory", json!({ "memory_id": id, "text": "Tea at six.", "version": 2 })).await;
    assert_eq!((&changed["text"], &changed["version"]), (&json!("Tea at six."), &json!(3)));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_fifty_writers_with_one_version_one_succeeds(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Tea at four.").await;

    let write = |writer: usize| {
        let data = json!({ "memory_id": id, "text": format!("Tea of writer {writer}."), "version": 1 });
        server.try_call(&ada, "update_memory", data)
    };
    let answers = join_all((0..50).map(write)).await;

    let winners: Vec<&Value> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, answer)| &answer["data"]).collect();
    let losers = answers.iter().filter(|(status, answer)| *status == 412 && answer["code"] == "version_mismatch").count();
    assert_eq!((winners.len(), losers), (1, 49), "FLT-20");
    let read = server.call(&ada, "get_memory", json!({ "memory_id": id })).await;
    assert_eq!((&read["text"], &read["version"]), (&winners[0]["text"], &json!(2)), "FLT-20");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn without_a_version_the_last_writer_wins_and_text_and_vector_belong_together(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Tea at four.").await;
    let words = ["turquoise", "copper", "walnut", "marble", "velvet", "amber", "linen", "cobalt", "willow", "granite"];

    let answers = join_all(
        words.map(|word| server.try_call(&ada, "update_memory", json!({ "memory_id": id, "text": format!("{word} {word}") }))),
    )
    .await;

    assert!(answers.iter().all(|(status, _)| *status == 200), "FLT-20: {answers:?}");
    crate::kit::eventually("the embedding is there", async || {
        server.call(&ada, "get_memory", json!({ "memory_id": id })).await["embedding_status"] == "ready"
    })
    .await;
    let read = server.call(&ada, "get_memory", json!({ "memory_id": id })).await;
    assert_eq!(read["version"], 11, "FLT-20: every write counts");
    let found = server.call(&ada, "query_memory", json!({ "query": read["text"] })).await;
    assert!(found["memories"][0]["score"].as_f64() > Some(0.99), "FLT-20: {found}");
    assert_eq!(number(&pool, "SELECT count(*) FROM memory_embeddings").await, 1);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_expiration_date_lies_in_the_future(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Tea at four.").await;

    for wrong in [
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00",
        "2999-01-01",
        "10000-01-01T00:00:00Z",
        "tomorrow",
        "",
        "2999-02-30T00:00:00Z",
    ] {
        let field = server.blamed(&ada, "submit_memory", json!({ "text": "x", "expiration_date": wrong })).await;
        assert_eq!(field, "expiration_date", "MEM-11 {wrong:?}");
        let field = server.blamed(&ada, "update_memory", json!({ "memory_id": id, "expiration_date": wrong })).await;
        assert_eq!(field, "expiration_date", "MEM-11 {wrong:?}");
    }
    for (incoming, outgoing) in [
        ("2999-01-01T00:00:00Z", "2999-01-01T00:00:00.000000+00:00"),
        ("2999-01-01T00:00:00", "2999-01-01T00:00:00.000000+00:00"),
        ("2999-01-01T12:00:00.5+14:00", "2998-12-31T22:00:00.500000+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ] {
        let stored = server.call(&ada, "submit_memory", json!({ "text": "x", "expiration_date": incoming })).await;
        let read = server.call(&ada, "get_memory", json!({ "memory_id": stored["id"] })).await;
        assert_eq!(
            (&stored["expiration_date"], &read["expiration_date"]),
            (&json!(outgoing), &json!(outgoing)),
            "MEM-11 {incoming}"
        );
    }
}
