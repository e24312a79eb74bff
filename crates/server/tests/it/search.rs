//! Search by meaning: what is nearest, within what the caller may see.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, ids, merge, word};

/// The texts that a search finds, nearest first.
async fn found(server: &TestServer, person: &Person, data: Value) -> Vec<String> {
    let answer = server.call(person, "query_memory", data).await;
    answer["memories"].as_array().expect("memories").iter().map(|hit| word(&hit["text"])).collect()
}

/// Stores copies of a person's memory with its vector, of which nobody but that person could ever see one.
async fn crowd(pool: &PgPool, id: &str, copies: i32) {
    let statement = "WITH copies AS (
            INSERT INTO memories (id, user_id, ciphertext, permission, created_at, updated_at)
            SELECT gen_random_uuid(), user_id, ciphertext, 'private', created_at, updated_at
            FROM memories, generate_series(1, $2) WHERE id = $1::uuid RETURNING id, user_id
        )
        INSERT INTO memory_embeddings (memory_id, user_id, model, position, embedding)
        SELECT c.id, c.user_id, e.model, 0, e.embedding FROM copies c, memory_embeddings e WHERE e.memory_id = $1::uuid";
    let outcome = sqlx::query(statement).bind(id).bind(copies).execute(pool).await.expect("copies");
    assert_eq!(outcome.rows_affected(), u64::try_from(copies).expect("a number"));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_nearest_memory_comes_first(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for text in ["green tea with lemon", "black coffee", "tea", "the train to York leaves at nine"] {
        server.remember(&ada, text).await;
    }

    let answer = server.call(&ada, "query_memory", json!({ "query": "green tea" })).await;

    assert_eq!((&answer["query"], &answer["mode"], &answer["total_found"]), (&json!("green tea"), &json!("hybrid"), &json!(4)));
    let hits = answer["memories"].as_array().expect("hits");
    let texts: std::collections::HashSet<&str> = hits[..2].iter().filter_map(|hit| hit["text"].as_str()).collect();
    assert_eq!(texts, ["green tea with lemon", "tea"].into());
    let scores: Vec<f64> = hits.iter().filter_map(|hit| hit["score"].as_f64()).collect();
    assert!(scores.len() == 4 && scores.is_sorted_by(|a, b| a >= b), "falling: {scores:?}");
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    assert!(hits.iter().all(|hit| (-1.0..=1.0).contains(&hit["similarity"].as_f64().expect("a cosine"))));
    let exact = server.call(&ada, "query_memory", json!({ "query": "black coffee", "limit": 1 })).await;
    assert!(exact["memories"][0]["score"].as_f64() > Some(0.999), "{exact}");
    let memory = server.call(&ada, "get_memory", json!({ "memory_id": exact["memories"][0]["id"] })).await;
    for (member, value) in memory.as_object().expect("a memory") {
        assert_eq!(&exact["memories"][0][member], value, "a hit is the memory, a score and a similarity");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_scope_says_where_to_look(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    server.remember(&ada, "tea: mine").await;
    server.publish(&ada, "tea: mine and public").await;
    server.remember(&eve, "tea: hers").await;
    server.publish(&eve, "tea: hers and public").await;

    for (scope, mut expected) in [
        (None, vec!["tea: mine", "tea: mine and public"]),
        (Some("own"), vec!["tea: mine", "tea: mine and public"]),
        (Some("public"), vec!["tea: hers and public", "tea: mine and public"]),
        (Some("all"), vec!["tea: hers and public", "tea: mine", "tea: mine and public"]),
    ] {
        let mut data = json!({ "query": "tea" });
        merge(&mut data, scope.map_or(json!({}), |scope| json!({ "scope": scope })));
        let mut texts = found(&server, &ada, data).await;
        texts.sort();
        expected.sort_unstable();
        assert_eq!(texts, expected, "{scope:?}");
    }
    let answer =
        server.call(&ada, "query_memory", json!({ "query": "tea: hers and public", "scope": "public", "limit": 1 })).await;
    assert_eq!((&answer["memories"][0]["shared_with"], &answer["memories"][0]["user_id"]), (&Value::Null, &json!(eve.user_id)));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_exact_private_text_of_another_finds_nothing(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let secret = "The vault's code is four seven one one.";
    server.remember(&eve, "A vault was robbed in York.").await;
    server.publish(&eve, "Vaults are heavy.").await;
    let ask = async |more: Value| {
        let mut data = json!({ "query": secret });
        merge(&mut data, more);
        server.send_call(&eve, "query_memory", data).await.text().await.expect("a body")
    };
    let questions = [
        json!({}),
        json!({ "scope": "public" }),
        json!({ "scope": "all" }),
        json!({ "scope": "all", "limit": 1 }),
        json!({ "scope": "all", "min_score": 0.9 }),
    ];
    let mut before = Vec::new();
    for question in &questions {
        before.push(ask(question.clone()).await);
    }

    let id = server.remember(&ada, secret).await;
    crowd(&pool, &id, 1_000).await;

    for (question, before) in questions.iter().zip(before) {
        let after = ask(question.clone()).await;
        assert!(!after.contains(&ada.user_id), "MEM-07 {question}");
        assert_eq!(after, before, "MEM-07 {question}: the same to the byte");
    }
    let own = server.call(&ada, "query_memory", json!({ "query": secret, "min_score": 0.999, "mode": "semantic" })).await;
    assert_eq!(own["total_found"], 1_001, "they are there for their owner");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_crowd_of_nearer_private_memories_does_not_starve_a_search(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    for number in 0..10 {
        server.remember(&eve, &format!("Something far away, number {number}.")).await;
    }
    let id = server.remember(&ada, "exactly what is asked").await;
    crowd(&pool, &id, 10_000).await;

    for scope in ["own", "all"] {
        let answer =
            server.call(&eve, "query_memory", json!({ "query": "exactly what is asked", "scope": scope, "limit": 10 })).await;
        assert_eq!((ids(&answer).len(), &answer["total_found"]), (10, &json!(10)), "MEM-08 {scope}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_least_score_leaves_out_what_is_farther(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for text in ["tea", "green tea", "green tea with lemon", "black coffee"] {
        server.remember(&ada, text).await;
    }
    let all = server.call(&ada, "query_memory", json!({ "query": "green tea" })).await;
    let scores: Vec<f64> = all["memories"].as_array().expect("hits").iter().filter_map(|hit| hit["score"].as_f64()).collect();
    let between = (scores[1] + scores[2]) / 2.0;

    for name in ["min_score", "similarity_threshold"] {
        let answer = server.call(&ada, "query_memory", json!({ "query": "green tea", name: between })).await;
        assert_eq!((ids(&answer), &answer["total_found"]), (ids(&all)[..2].to_vec(), &json!(2)), "{name}");
        let first = server.call(&ada, "query_memory", json!({ "query": "green tea", name: between, "limit": 1 })).await;
        assert_eq!((ids(&first).len(), &first["total_found"]), (1, &json!(2)), "{name}: counted before the limit");
    }
    let everything = server.call(&ada, "query_memory", json!({ "query": "green tea", "min_score": 0 })).await;
    assert_eq!(everything["total_found"], 4);
    let nothing = server.call(&ada, "query_memory", json!({ "query": "quantum chromodynamics", "min_score": 1 })).await;
    assert_eq!((ids(&nothing).len(), &nothing["total_found"]), (0, &json!(0)));
    let both = json!({ "query": "x", "min_score": 0.5, "similarity_threshold": 0.5 });
    assert_eq!(server.fail(&ada, "query_memory", both).await, (422, "invalid".into()));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn filters_work_before_the_limit(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    for number in 0..12 {
        server.remember(&ada, &format!("tea number {number}")).await;
    }
    let data = json!({ "text": "a locomotive", "tags": ["iron", "steam"], "category": "trains", "permission": "public" });
    let odd = server.call(&ada, "submit_memory", data).await;

    for filter in [
        json!({ "tags": ["iron"] }),
        json!({ "tags": ["steam", "iron"] }),
        json!({ "category": "trains" }),
        json!({ "permission": "public" }),
        json!({ "created_after": odd["created_at"] }),
    ] {
        let mut data = json!({ "query": "tea number 1", "limit": 2 });
        merge(&mut data, filter.clone());
        let answer = server.call(&ada, "query_memory", data).await;
        assert_eq!((ids(&answer), &answer["total_found"]), (vec![word(&odd["id"])], &json!(1)), "{filter}");
    }
    let before = json!({ "query": "a locomotive", "created_before": odd["created_at"], "limit": 100 });
    assert_eq!(server.call(&ada, "query_memory", before).await["total_found"], 12);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_long_text_is_found_by_its_last_words_and_comes_once(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let filler: String = (0..600).map(|number| format!("Entry {number} of the ship's log is uneventful. ")).collect();
    let ending = "walrus ".repeat(1_000);
    let long = server.remember(&ada, &format!("{filler}{ending}")).await;
    for number in 0..5 {
        server.remember(&ada, &format!("A short note about walruses, number {number}.")).await;
    }
    let windows = crate::kit::number(&pool, "SELECT count(*) FROM memory_embeddings").await - 5;
    assert!(windows >= 4, "the text has {windows} windows");

    for query in ["walrus", "Entry 1 of the ship's log is uneventful."] {
        let answer = server.call(&ada, "query_memory", json!({ "query": query })).await;

        assert_eq!(ids(&answer)[0], long, "{query}");
        assert_eq!((ids(&answer).iter().filter(|id| **id == long).count(), &answer["total_found"]), (1, &json!(6)), "{query}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_script_can_be_searched(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let texts = ["緑茶 が 好き", "شاي أخضر", "зелёный чай", "πράσινο τσάι", "🫖🍵", "groß ÄRGER"];
    for text in texts {
        server.remember(&ada, text).await;
    }

    for text in texts {
        let answer = server.call(&ada, "query_memory", json!({ "query": text, "limit": 1 })).await;
        if text != "🫖🍵" {
            assert_eq!(answer["memories"][0]["text"], text);
        }
        assert_eq!(answer["query"], text);
    }
    let longest = "字".repeat(4_096);
    assert_eq!(server.call(&ada, "query_memory", json!({ "query": longest })).await["total_found"], texts.len());
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_search_in_nothing_finds_nothing(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    for scope in ["own", "public", "all"] {
        let answer = server.call(&ada, "query_memory", json!({ "query": "tea", "scope": scope })).await;
        assert_eq!((&answer["memories"], &answer["total_found"]), (&json!([]), &json!(0)));
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn one_persons_memories_can_be_searched(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob, eve) = (server.sign_in("ada").await, server.sign_in("bob").await, server.sign_in("eve").await);
    server.remember(&ada, "ada's own tea").await;
    server.publish(&ada, "ada's public tea").await;
    server.publish(&bob, "bob's public tea").await;
    server.remember(&eve, "eve's own tea").await;

    for mode in ["keyword", "semantic", "hybrid"] {
        let ask = async |person: &Person, mut data: Value| {
            data["query"] = "tea".into();
            data["mode"] = mode.into();
            let mut texts = found(&server, person, data).await;
            texts.sort();
            texts
        };
        assert_eq!(ask(&eve, json!({ "user_id": ada.user_id })).await, ["ada's public tea"], "{mode}");
        assert_eq!(ask(&eve, json!({ "user_id": ada.user_id, "scope": "public" })).await, ["ada's public tea"]);
        assert_eq!(ask(&eve, json!({ "user_id": ada.user_id, "scope": "own" })).await, [""; 0]);
        assert_eq!(ask(&eve, json!({ "user_id": eve.user_id })).await, ["eve's own tea"]);
        assert_eq!(ask(&ada, json!({ "user_id": ada.user_id, "scope": "all" })).await.len(), 2);
        assert_eq!(ask(&eve, json!({})).await, ["eve's own tea"]);
    }
}
