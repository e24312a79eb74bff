//! Writing, reading and deleting memories behind `POST /api/tools`, and who may do what.

use picard_domain::MemoryId;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, ids, merge, number, word};

/// What a call answers for a memory and for one that never was, without the request's id.
async fn answers(server: &TestServer, person: &Person, tool: &str, id: &str, more: &Value) -> [(u16, Value); 2] {
    let nothing = MemoryId::generate().to_string();
    let mut answers = [(0, Value::Null), (0, Value::Null)];
    for (answer, memory_id) in answers.iter_mut().zip([id, &nothing]) {
        let mut data = json!({ "memory_id": memory_id });
        merge(&mut data, more.clone());
        let (status, mut body) = server.try_call(person, tool, data).await;
        body["request_id"] = Value::Null;
        *answer = (status.as_u16(), body);
    }
    answers
}

/// Asserts that no tool tells this person whether the memory exists.
async fn assert_hidden(server: &TestServer, person: &Person, id: &str, why: &str) {
    for (tool, more) in [
        ("get_memory", json!({})),
        ("update_memory", json!({ "text": "mine now" })),
        ("update_memory", json!({ "text": "mine now", "version": 7 })),
        ("delete_memory", json!({})),
        ("modify_permissions", json!({ "permission": "public" })),
    ] {
        let [real, unknown] = answers(server, person, tool, id, &more).await;

        assert_eq!((real.0, &real.1["code"]), (404, &json!("not_found")), "{why} {tool}");
        assert_eq!(real, unknown, "{why} {tool}");
    }
}

/// Moves a memory's expiration date into the past, as time would.
async fn expire(pool: &PgPool, id: &str) {
    let statement = "UPDATE memories SET expiration_date = now() - interval '1 second' WHERE id = $1::uuid";
    let outcome = sqlx::query(statement).bind(id).execute(pool).await.expect("an update");
    assert_eq!(outcome.rows_affected(), 1);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_memory_is_stored_and_read_back(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;

    let stored = server
        .call(&ada, "submit_memory", json!({ "text": "Earl Grey, hot.", "tags": ["tea", "tea", "habits"], "category": "drinks" }))
        .await;
    let read = server.call(&ada, "get_memory", json!({ "memory_id": stored["id"] })).await;

    assert_eq!(read, stored);
    assert_eq!(read["user_id"], ada.user_id);
    assert_eq!(read["tags"], json!(["tea", "habits"]));
    assert_eq!((&read["permission"], &read["version"]), (&json!("private"), &json!(1)));
    assert_eq!(read["embedding_status"], "ready");
    assert_eq!(read["shared_with"], json!({ "users": [], "groups": [] }));
    assert_eq!((&read["expiration_date"], &read["is_expired"]), (&Value::Null, &json!(false)));
    for member in ["created_at", "updated_at"] {
        let moment = word(&read[member]);
        assert!(moment.len() == 32 && moment.ends_with("+00:00"), "{moment}");
    }
    let members: Vec<&String> = read.as_object().expect("an object").keys().collect();
    assert_eq!(members.len(), 13, "the contract's members and no others: {members:?}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn any_text_comes_back_as_it_was_written(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let marks = format!("a{}", "\u{301}".repeat(5_000));
    let longest = "字".repeat(32_768);

    for text in [" \n\t ", "x", "👩‍👩‍👧‍👦 🏴‍☠️", "\u{202e}שלום", "\u{fffd}\u{feff}", "a\u{1}b\u{7f}", "\"\\/<b>&amp;", &marks, &longest]
    {
        let stored = server.call(&ada, "submit_memory", json!({ "text": text, "tags": ["日本", "a b"] })).await;
        let read = server.call(&ada, "get_memory", json!({ "memory_id": stored["id"] })).await;

        assert_eq!(read["text"], text, "ENC-09");
        assert_eq!(read["tags"], json!(["日本", "a b"]));
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn ids_are_random_and_taken_in_their_canonical_form_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "The kettle is blue.").await;

    let uuid: uuid::Uuid = id.parse().expect("a UUID");
    assert_eq!((uuid.get_version_num(), uuid.to_string()), (4, id.clone()), "MEM-12");
    let bare = id.replace('-', "");
    let others = [
        id.to_uppercase(),
        bare,
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        format!("{id}0"),
        format!(" {id}"),
        String::new(),
    ];
    for other in others {
        for tool in ["get_memory", "delete_memory"] {
            assert_eq!(server.blamed(&ada, tool, json!({ "memory_id": other })).await, "memory_id", "MEM-12 {other:?}");
        }
    }
    let nil = uuid::Uuid::nil().to_string();
    assert_eq!(server.fail(&ada, "get_memory", json!({ "memory_id": nil })).await, (404, "not_found".into()), "MEM-12");
    server.call(&ada, "get_memory", json!({ "memory_id": id })).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn nobody_writes_as_somebody_else(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let own = server.remember(&eve, "Eve was here.").await;

    for (member, value) in [
        ("user_id", json!(ada.user_id)),
        ("owner_id", json!(ada.user_id)),
        ("id", json!(MemoryId::generate().to_string())),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("embedding", json!([0.1, 0.2])),
        ("ciphertext", json!("gAAAA")),
        ("text_version", json!(9)),
    ] {
        for (tool, mut data) in [
            ("submit_memory", json!({ "text": "Ada owes me money." })),
            ("update_memory", json!({ "memory_id": own, "text": "Ada owes me money." })),
        ] {
            data[member] = value.clone();
            assert_eq!(server.blamed(&eve, tool, data).await, member, "MEM-03 {tool}");
        }
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 1, "MEM-03");
    assert_eq!(server.call(&eve, "get_memory", json!({ "memory_id": own })).await["version"], 1, "MEM-03");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_stranger_cannot_tell_a_private_memory_from_none(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let id = server.remember(&ada, "The vault's code is under the mat.").await;

    assert_hidden(&server, &eve, &id, "MEM-02").await;

    let read = server.call(&ada, "get_memory", json!({ "memory_id": id })).await;
    assert_eq!((&read["text"], &read["version"]), (&json!("The vault's code is under the mat."), &json!(1)));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_public_memory_is_read_by_all_and_changed_by_its_owner_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let id = server.publish(&ada, "The library opens at nine.").await;
    let before = server.call(&ada, "get_memory", json!({ "memory_id": id })).await;

    let seen = server.call(&eve, "get_memory", json!({ "memory_id": id })).await;

    assert_eq!((&seen["text"], &seen["user_id"]), (&json!("The library opens at nine."), &json!(ada.user_id)));
    assert_eq!(seen["shared_with"], Value::Null, "with whom it is shared is the owner's business");
    for (tool, data) in [
        ("update_memory", json!({ "memory_id": id, "text": "It is closed." })),
        ("update_memory", json!({ "memory_id": id, "text": "It is closed.", "version": 99 })),
        ("delete_memory", json!({ "memory_id": id })),
        ("modify_permissions", json!({ "memory_id": id, "permission": "private" })),
    ] {
        assert_eq!(server.fail(&eve, tool, data).await, (403, "forbidden".into()), "MEM-02 {tool}");
    }
    assert_eq!(server.call(&ada, "get_memory", json!({ "memory_id": id })).await, before, "MEM-02: unchanged");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_memory_made_private_again_is_gone_for_others_at_once(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let replica = server.replica().await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let id = server.publish(&ada, "The blue kettle is mine.").await;
    let call = json!({ "tool": "get_memory", "data": { "memory_id": id } });
    let at_replica = || server.http.post(format!("{}/api/tools", replica.url)).bearer_auth(&eve.token).json(&call).send();
    assert_eq!(at_replica().await.expect("an answer").status(), 200);

    let changed = server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "private" })).await;

    assert_eq!((&changed["permission"], &changed["version"]), (&json!("private"), &json!(2)));
    assert_hidden(&server, &eve, &id, "MEM-06").await;
    assert_eq!(at_replica().await.expect("an answer").status(), 404, "MEM-06: at the replica");
    let list = server.call(&eve, "get_memories", json!({ "user_id": ada.user_id })).await;
    assert_eq!((ids(&list).len(), &list["total"]), (0, &json!(0)), "MEM-06");
    let found = server.call(&eve, "query_memory", json!({ "query": "The blue kettle is mine.", "scope": "all" })).await;
    assert_eq!((ids(&found).len(), &found["total_found"]), (0, &json!(0)), "MEM-06");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_deleted_memory_is_gone_from_everywhere(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "Nobody needs to know this.").await;

    let answer = server.call(&ada, "delete_memory", json!({ "memory_id": id })).await;

    assert_eq!((&answer["id"], &answer["deleted"]), (&json!(id), &json!(true)));
    assert!(answer["message"].is_string());
    assert_hidden(&server, &ada, &id, "MEM-14").await;
    for (tool, data) in
        [("get_memories", json!({})), ("retrieve_memories", json!({})), ("query_memory", json!({ "query": "know this" }))]
    {
        assert_eq!(ids(&server.call(&ada, tool, data).await).len(), 0, "MEM-14 {tool}");
    }
    for statement in
        ["SELECT count(*) FROM memories", "SELECT count(*) FROM memory_embeddings", "SELECT count(*) FROM embedding_jobs"]
    {
        assert_eq!(number(&pool, statement).await, 0, "MEM-14 {statement}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_expired_memory_is_for_its_owner_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, eve) = (server.sign_in("ada").await, server.sign_in("eve").await);
    let public = server.publish(&ada, "The fair is on Sunday.").await;
    let private = server.remember(&ada, "The fair is on Sunday too.").await;
    let lasting = server.publish(&ada, "The fair is every year.").await;

    expire(&pool, &public).await;
    expire(&pool, &private).await;

    assert_hidden(&server, &eve, &public, "MEM-11").await;
    for status in ["active", "expired", "all"] {
        let expected: &[String] = if status == "expired" { &[] } else { std::slice::from_ref(&lasting) };
        let list = server.call(&eve, "get_memories", json!({ "user_id": ada.user_id, "expiration_status": status })).await;
        assert_eq!((ids(&list).as_slice(), &list["total"]), (expected, &json!(expected.len())), "MEM-11 {status}");
        for scope in ["public", "all"] {
            let query = json!({ "query": "The fair is on Sunday.", "scope": scope, "expiration_status": status });
            assert_eq!(ids(&server.call(&eve, "query_memory", query).await), expected, "MEM-11 {status} {scope}");
        }
    }
    for id in [&public, &private] {
        let read = server.call(&ada, "get_memory", json!({ "memory_id": id })).await;
        assert_eq!(read["is_expired"], true, "MEM-11: the owner gets it by id");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn the_owner_finds_expired_memories_when_asking_for_them(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let past = server.remember(&ada, "The fair is on Sunday.").await;
    let lasting = server.remember(&ada, "The fair is every year.").await;
    expire(&pool, &past).await;

    for (status, expected) in [("active", vec![&lasting]), ("expired", vec![&past]), ("all", vec![&lasting, &past])] {
        let list = server.call(&ada, "get_memories", json!({ "expiration_status": status })).await;
        assert_eq!((ids(&list).iter().collect(), &list["total"]), (expected.clone(), &json!(expected.len())), "MEM-11 {status}");
        let query = json!({ "query": "every year", "expiration_status": status });
        assert_eq!(ids(&server.call(&ada, "query_memory", query).await).iter().collect::<Vec<_>>(), expected, "MEM-11 {status}");
    }
    assert_eq!(
        ids(&server.call(&ada, "get_memories", json!({})).await),
        std::slice::from_ref(&lasting),
        "MEM-11: lists leave them out"
    );
    assert_eq!(
        ids(&server.call(&ada, "retrieve_memories", json!({})).await),
        [lasting, past.clone()],
        "retrieve_memories has all"
    );

    let back = server.call(&ada, "update_memory", json!({ "memory_id": past, "expiration_date": null })).await;

    assert_eq!((&back["is_expired"], &back["expiration_date"]), (&json!(false), &Value::Null));
}
