//! Who sees what is shared.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{Person, TestServer, ids, word};

async fn group(server: &TestServer, owner: &Person, members: &[&Person]) -> String {
    let made =
        server.post("/api/groups").bearer_auth(&owner.token).json(&json!({ "name": "Family" })).send().await.expect("an answer");
    let id = word(&made.json::<Value>().await.expect("JSON")["id"]);
    for member in members {
        let path = format!("/api/groups/{id}/members/{}", member.user_id);
        let put = server.request(Method::PUT, &path).bearer_auth(&owner.token).send().await.expect("an answer");
        assert_eq!(put.status(), 204);
    }
    id
}

async fn leave(server: &TestServer, group: &str, owner: &Person, member: &Person) {
    let path = format!("/api/groups/{group}/members/{}", member.user_id);
    let gone = server.request(Method::DELETE, &path).bearer_auth(&owner.token).send().await.expect("an answer");
    assert_eq!(gone.status(), 204);
}

async fn sees(server: &TestServer, person: &Person, id: &str) -> bool {
    let read = server.try_call(person, "get_memory", json!({ "memory_id": id })).await.0.is_success();
    let mut found = Vec::new();
    for (scope, mode) in [("shared", "semantic"), ("shared", "keyword"), ("all", "hybrid")] {
        let hits = server.call(person, "query_memory", json!({ "query": "the shared plan", "scope": scope, "mode": mode })).await;
        found.push(ids(&hits).contains(&id.to_owned()));
    }
    assert!(found.iter().all(|found| *found == read), "a search finds what can be read: {read} {found:?}");
    read
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_share_is_for_the_named_and_ends_at_once(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob, eve) = (server.sign_in("ada").await, server.sign_in("bob").await, server.sign_in("eve").await);
    let nobody = "6f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11";
    let list = json!({ "users": [bob.user_id, nobody, bob.user_id], "groups": [] });
    let data = json!({ "text": "the shared plan", "permission": "shared", "shared_with": list });

    let memory = server.call(&ada, "submit_memory", data).await;
    let id = word(&memory["id"]);

    assert_eq!(
        memory["shared_with"],
        json!({ "users": [bob.user_id, nobody], "groups": [] }),
        "MEM-04: nobody learns who exists"
    );
    assert!(sees(&server, &bob, &id).await && !sees(&server, &eve, &id).await);
    let read = server.call(&bob, "get_memory", json!({ "memory_id": id })).await;
    assert_eq!(read["shared_with"], Value::Null, "with whom else is the owner's business");
    let listed = server.call(&bob, "get_memories", json!({ "user_id": ada.user_id })).await;
    assert_eq!((ids(&listed), &listed["total"]), (vec![id.clone()], &json!(1)));
    for (tool, more) in [
        ("update_memory", json!({ "text": "mine now" })),
        ("delete_memory", json!({})),
        ("modify_permissions", json!({ "permission": "shared", "shared_with": { "users": [eve.user_id] } })),
    ] {
        let mut data = json!({ "memory_id": id });
        crate::kit::merge(&mut data, more);
        assert_eq!(server.fail(&bob, tool, data).await, (403, "forbidden".into()), "MEM-02, MEM-04 {tool}");
    }

    let private = server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "private" })).await;
    assert_eq!(private["shared_with"]["users"], json!([bob.user_id, nobody]), "the list stays for later");
    assert!(!sees(&server, &bob, &id).await, "MEM-06");
    server.call(&ada, "modify_permissions", json!({ "memory_id": id, "permission": "shared" })).await;
    assert!(sees(&server, &bob, &id).await, "the list that stayed");
    let data = json!({ "memory_id": id, "permission": "shared", "shared_with": { "users": [eve.user_id] } });
    server.call(&ada, "modify_permissions", data).await;
    assert!(!sees(&server, &bob, &id).await && sees(&server, &eve, &id).await, "a new list replaces the old one");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_group_sees_what_is_shared_with_it_while_one_is_in_it(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob, eve) = (server.sign_in("ada").await, server.sign_in("bob").await, server.sign_in("eve").await);
    let group = group(&server, &ada, &[&bob]).await;
    let data = json!({ "text": "the shared plan", "permission": "shared", "shared_with": { "groups": [group] } });

    let hers = word(&server.call(&ada, "submit_memory", data.clone()).await["id"]);
    let his = word(&server.call(&bob, "submit_memory", data.clone()).await["id"]);

    assert!(sees(&server, &bob, &hers).await && sees(&server, &ada, &his).await, "any member may share, the owner sees it");
    assert!(!sees(&server, &eve, &hers).await);
    for (person, groups) in [(&eve, json!([group])), (&ada, json!([word(&json!(eve.user_id))]))] {
        let data = json!({ "text": "x", "permission": "shared", "shared_with": { "groups": groups } });
        assert_eq!(server.fail(person, "submit_memory", data).await, (422, "invalid".into()), "MEM-04");
    }

    leave(&server, &group, &ada, &bob).await;
    assert!(!sees(&server, &bob, &hers).await, "MEM-05: with the next request");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_expired_share_is_for_its_owner_alone(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    let data = json!({ "text": "the shared plan", "permission": "shared", "shared_with": { "users": [bob.user_id] }, "expiration_date": "2999-01-01T00:00:00Z" });
    let id = word(&server.call(&ada, "submit_memory", data).await["id"]);
    assert!(sees(&server, &bob, &id).await);

    sqlx::query("UPDATE memories SET expiration_date = now() - interval '1 second'").execute(&pool).await.expect("time passes");

    assert!(!sees(&server, &bob, &id).await, "MEM-11");
    assert_eq!(server.call(&ada, "get_memory", json!({ "memory_id": id })).await["is_expired"], true);
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_aggregate_memory_is_counted_and_never_shown(pool: PgPool) {
    let server = TestServer::spawn_with(&pool, &["--aggregate-min-people", "3"]).await;
    let eve = server.sign_in("eve").await;
    let mut people = Vec::new();
    for number in 0..3 {
        let person = server.sign_in(&format!("person{number}")).await;
        let tags = if number < 2 { json!(["run", "rare"]) } else { json!(["run"]) };
        let data = json!({ "text": "the shared plan: running at dawn", "permission": "aggregate", "tags": tags });
        let id = word(&server.call(&person, "submit_memory", data).await["id"]);
        assert!(!sees(&server, &eve, &id).await);
        let figures = server.call(&eve, "aggregate_memories", json!({})).await;
        let expected = if number < 2 { Value::Null } else { json!(3) };
        assert_eq!((&figures["contributors"], &figures["memories"]), (&expected, &expected), "{number}");
        people.push(person);
    }

    let figures = server.call(&eve, "aggregate_memories", json!({})).await;
    assert_eq!(figures["by_tag"], json!([{ "tag": "run", "contributors": 3, "memories": 3 }]), "two people are too few");
    assert_eq!(figures["by_month"][0]["memories"], 3);
    assert_eq!(server.call(&eve, "aggregate_memories", json!({ "tags": ["rare"] })).await["memories"], Value::Null);
    assert_eq!(server.call(&eve, "aggregate_memories", json!({ "query": "runs at dawn" })).await["memories"], 3);
    assert_eq!(server.call(&eve, "aggregate_memories", json!({ "query": "runs at dusk" })).await["memories"], Value::Null);
    let id = ids(&server.call(&people[0], "get_memories", json!({})).await).remove(0);
    server.call(&people[0], "modify_permissions", json!({ "memory_id": id, "permission": "private" })).await;
    assert_eq!(server.call(&eve, "aggregate_memories", json!({})).await["memories"], Value::Null);
}
