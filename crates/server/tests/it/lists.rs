//! Lists: filters, order, pages and cursors.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, ids, merge, word};

/// Stores numbered memories; those whose number divides by three expire some day, the rest never do.
async fn store(server: &TestServer, person: &Person, numbers: std::ops::Range<u32>) -> Vec<String> {
    let mut stored = Vec::new();
    for number in numbers {
        let mut data = json!({ "text": format!("Memory {number}") });
        if number % 3 == 0 {
            data["expiration_date"] = format!("2999-01-{:02}T00:00:00Z", 28 - number % 28).into();
        }
        stored.push(word(&server.call(person, "submit_memory", data).await["id"]));
    }
    stored
}

/// Reads a list page by page; before each page something happens.
async fn walk(server: &TestServer, person: &Person, tool: &str, question: &Value, before: impl AsyncFn()) -> Vec<Value> {
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    for _ in 0..100 {
        let mut data = question.clone();
        if !cursor.is_null() {
            data["cursor"] = cursor;
        }
        let mut page = server.call(person, tool, data).await;
        let memories = page["memories"].as_array().expect("memories").clone();
        assert!(memories.len() as u64 <= question["limit"].as_u64().expect("a limit"));
        seen.extend(memories);
        cursor = page["next_cursor"].take();
        if cursor.is_null() {
            return seen;
        }
        before().await;
    }
    panic!("the list never ends: {question}");
}

async fn nothing_happens() {}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn pages_lose_and_repeat_nothing_in_any_order(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let mut stored = store(&server, &ada, 0..25).await;
    // Ties: only the id tells these apart.
    let ties = "UPDATE memories SET created_at = date_trunc('hour', created_at), updated_at = date_trunc('hour', updated_at)";
    sqlx::query(ties).execute(&pool).await.expect("an update");
    stored.sort();

    for sort in ["created_at", "updated_at", "expiration_date"] {
        for order in ["asc", "desc"] {
            for limit in [1, 7, 25, 200] {
                let question = json!({ "sort": sort, "order": order, "limit": limit });
                let seen = walk(&server, &ada, "get_memories", &question, nothing_happens).await;

                let mut ids: Vec<String> = seen.iter().map(|memory| word(&memory["id"])).collect();
                ids.sort();
                assert_eq!(ids, stored, "{question}");
            }
        }
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn pages_stay_whole_while_memories_are_added(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let stored = store(&server, &ada, 1..26).await;

    // Those added meanwhile come before the first page, or in ascending order after the last one.
    for (tool, question) in [
        ("get_memories", json!({ "limit": 4 })),
        ("get_memories", json!({ "limit": 7, "order": "asc" })),
        ("retrieve_memories", json!({ "limit": 4 })),
    ] {
        let adding = async || drop(store(&server, &ada, 100..102).await);
        let seen = walk(&server, &ada, tool, &question, adding).await;

        let ids: Vec<String> = seen.iter().map(|memory| word(&memory["id"])).collect();
        let distinct: std::collections::HashSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{tool} {question}: nothing comes twice");
        assert!(stored.iter().all(|id| distinct.contains(id)), "{tool} {question}: nothing is lost");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_list_is_sorted_as_asked(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let stored = store(&server, &ada, 0..9).await;
    // The oldest is changed last.
    server.call(&ada, "update_memory", json!({ "memory_id": stored[0], "category": "changed" })).await;

    for (sort, none_is_last) in [("created_at", false), ("updated_at", false), ("expiration_date", true)] {
        for order in ["asc", "desc"] {
            let seen =
                walk(&server, &ada, "get_memories", &json!({ "sort": sort, "order": order, "limit": 4 }), nothing_happens).await;
            let keys: Vec<Option<&str>> = seen.iter().map(|memory| memory[sort].as_str()).collect();
            let known: Vec<&str> = keys.iter().flatten().copied().collect();

            assert_eq!(seen.len(), 9);
            assert!(known.is_sorted_by(|a, b| if order == "asc" { a <= b } else { a >= b }), "{sort} {order}: {known:?}");
            if none_is_last {
                assert!(keys[..known.len()].iter().all(Option::is_some) && known.len() == 3, "{order}: {keys:?}");
            }
        }
    }
    let newest_first = server.call(&ada, "get_memories", json!({})).await;
    assert!(ids(&newest_first).iter().eq(stored.iter().rev()), "newest first is the default");
    let by_change = server.call(&ada, "get_memories", json!({ "sort": "updated_at", "limit": 1 })).await;
    assert_eq!(ids(&by_change), stored[..1]);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn filters_narrow_a_list_and_its_total(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for (text, tags, category, permission) in [
        ("a", json!(["tea", "hot"]), json!("drinks"), "private"),
        ("b", json!(["tea"]), json!("drinks"), "public"),
        ("c", json!(["hot"]), Value::Null, "private"),
        ("d", json!([]), json!("Drinks"), "public"),
    ] {
        let data = json!({ "text": text, "tags": tags, "category": category, "permission": permission });
        server.call(&ada, "submit_memory", data).await;
    }
    let all = server.call(&ada, "get_memories", json!({ "order": "asc" })).await;
    let third = &all["memories"][2]["created_at"];

    for (filter, expected) in [
        (json!({}), "abcd"),
        (json!({ "tags": ["tea"] }), "ab"),
        (json!({ "tags": ["tea", "hot"] }), "a"),
        (json!({ "tags": ["TEA"] }), ""),
        (json!({ "category": "drinks" }), "ab"),
        (json!({ "permission": "public" }), "bd"),
        (json!({ "permission": "public", "category": "drinks" }), "b"),
        (json!({ "created_after": third }), "cd"),
        (json!({ "created_before": third }), "ab"),
        (json!({ "created_after": third, "created_before": third }), ""),
        (json!({ "created_after": "0000-01-01T00:00:00Z", "created_before": "9999-12-31T23:59:59Z" }), "abcd"),
        (json!({ "expiration_status": "expired" }), ""),
    ] {
        let mut question = json!({ "order": "asc", "limit": 1 });
        merge(&mut question, filter.clone());
        let first = server.call(&ada, "get_memories", question.clone()).await;
        let seen = walk(&server, &ada, "get_memories", &question, nothing_happens).await;

        let texts: String = seen.iter().map(|memory| word(&memory["text"])).collect();
        assert_eq!(texts, expected, "{filter}");
        assert_eq!(first["total"], expected.len(), "the total counts all pages: {filter}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn of_others_a_list_has_what_is_public_and_counts_nothing_else(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let public = server.publish(&ada, "The library opens at nine.").await;
    server.remember(&ada, "The vault's code is 4711.").await;
    server.remember(&eve, "My own.").await;

    let of_ada = server.call(&eve, "get_memories", json!({ "user_id": ada.user_id })).await;
    assert_eq!(
        (ids(&of_ada), &of_ada["total"], &of_ada["next_cursor"]),
        (vec![public.clone()], &json!(1), &Value::Null),
        "MEM-10"
    );
    assert_eq!(of_ada["memories"][0]["shared_with"], Value::Null);

    let private = server.call(&eve, "get_memories", json!({ "user_id": ada.user_id, "permission": "private" })).await;
    assert_eq!((ids(&private).len(), &private["total"]), (0, &json!(0)), "MEM-10: simply not there");

    let nobody = json!({ "user_id": uuid::Uuid::new_v4().to_string() });
    let of_nobody = server.call(&eve, "get_memories", nobody).await;
    assert_eq!((ids(&of_nobody).len(), &of_nobody["total"]), (0, &json!(0)));

    let own = server.call(&ada, "get_memories", json!({ "user_id": ada.user_id })).await;
    assert_eq!(own["total"], 2, "one's own list has everything");
    assert_eq!(server.call(&eve, "retrieve_memories", json!({ "permission": "private" })).await["total"], 1);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_cursor_fits_its_person_and_its_question_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    store(&server, &ada, 0..5).await;
    store(&server, &eve, 0..5).await;
    let question = json!({ "user_id": ada.user_id, "limit": 2 });
    let cursor = word(&server.call(&ada, "get_memories", question.clone()).await["next_cursor"]);
    let with = |more: Value| {
        let mut data = json!({ "limit": 2, "cursor": cursor });
        merge(&mut data, more);
        data
    };

    for other in
        [json!({ "order": "asc" }), json!({ "sort": "updated_at" }), json!({ "tags": ["x"] }), json!({ "permission": "public" })]
    {
        assert_eq!(server.blamed(&ada, "get_memories", with(other.clone())).await, "cursor", "MEM-10 {other}");
    }
    assert_eq!(server.blamed(&eve, "get_memories", with(json!({}))).await, "cursor", "MEM-10: another person");
    assert_eq!(
        server.blamed(&eve, "get_memories", with(json!({ "user_id": ada.user_id }))).await,
        "cursor",
        "MEM-10: another person"
    );
    assert_eq!(server.blamed(&ada, "retrieve_memories", json!({ "cursor": cursor })).await, "cursor", "MEM-10: another list");

    for place in [0, cursor.len() / 2, cursor.len() - 2] {
        let mut tampered = cursor.clone().into_bytes();
        tampered[place] = if tampered[place] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(tampered).expect("ASCII");
        assert_eq!(server.blamed(&ada, "get_memories", json!({ "cursor": tampered })).await, "cursor", "MEM-10");
    }
    for nonsense in ["", "x", "äöü", &cursor[1..], &cursor[..cursor.len() - 1], &"A".repeat(5_000), "2026-01-01", "0"] {
        assert_eq!(server.blamed(&ada, "get_memories", json!({ "cursor": nonsense })).await, "cursor", "MEM-10 {nonsense:.30}");
    }

    let call = json!({ "tool": "get_memories", "data": with(json!({ "limit": 200 })) });
    let request = server.http.post(format!("{}/api/tools", replica.url)).bearer_auth(&ada.token).json(&call);
    let page: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(ids(&page["data"]).len(), 3, "another replica and another limit go on with it: {page}");
}
