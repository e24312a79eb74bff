//! The access matrix (MEM-01): every caller, every state of a memory, every way to it, through every door.
//!
//! What is expected stands in `access.txt`, one line a state: who reads it. Owners do everything, whoever reads may not
//! change, and for all others the memory is not there.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::{ADMIN, Person, TestServer, ids, word};

const EXPECTED: &str = include_str!("access.txt");
const QUERY: &str = "the plan of the matrix";
const CALLERS: [&str; 8] = ["owner", "stranger", "named", "member", "group_owner", "ex_member", "superuser", "reader_only"];

/// Everybody, and a memory in each state.
struct World {
    server: TestServer,
    people: BTreeMap<&'static str, Person>,
    memories: BTreeMap<String, String>,
}

/// What a way to a memory tells the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Seen,
    Nothing,
    /// 403: it is there, and somebody else's.
    Forbidden,
    Other(u16),
}

async fn world(pool: &PgPool) -> World {
    let server = TestServer::spawn(pool).await;
    let mut people = BTreeMap::new();
    for name in CALLERS {
        let scope = if name == "reader_only" { "memories:read" } else { "memories:read memories:write" };
        people.insert(name, server.sign_in_with(name, scope).await);
    }
    // The account of a superuser sees no more than anybody's.
    sqlx::query("UPDATE users SET is_superuser = true WHERE username = 'superuser'").execute(pool).await.expect("a superuser");
    let group = server.post("/api/groups").bearer_auth(&people["group_owner"].token).json(&json!({ "name": "Matrix" }));
    let group = word(&group.send().await.expect("an answer").json::<Value>().await.expect("JSON")["id"]);
    for name in ["owner", "member", "ex_member"] {
        let path = format!("/api/groups/{group}/members/{}", people[name].user_id);
        server.request(Method::PUT, &path).bearer_auth(&people["group_owner"].token).send().await.expect("an answer");
    }
    let path = format!("/api/groups/{group}/members/{}", people["ex_member"].user_id);
    let mut memories = BTreeMap::new();
    for (state, _) in expected() {
        let mut data = json!({ "text": format!("{QUERY}: {state}"), "permission": "private", "tags": ["matrix"] });
        let named = &people["named"].user_id;
        match state.trim_start_matches("expired_") {
            "public" => data["permission"] = "public".into(),
            "aggregate" => data["permission"] = "aggregate".into(),
            "shared_user" => {
                data["permission"] = "shared".into();
                data["shared_with"] = json!({ "users": [named] });
            }
            "shared_group" => {
                data["permission"] = "shared".into();
                data["shared_with"] = json!({ "groups": [group] });
            }
            "private_with_list" => data["shared_with"] = json!({ "users": [named], "groups": [group] }),
            _ => {}
        }
        let id = word(&server.call(&people["owner"], "submit_memory", data).await["id"]);
        if state.starts_with("expired_") {
            let expire = "UPDATE memories SET expiration_date = now() - interval '1 minute' WHERE id = $1::uuid";
            sqlx::query(expire).bind(&id).execute(pool).await.expect("time passes");
        }
        if state == "deleted" {
            server.call(&people["owner"], "delete_memory", json!({ "memory_id": id })).await;
        }
        memories.insert(state, id);
    }
    let left = server.request(Method::DELETE, &path).bearer_auth(&people["group_owner"].token).send().await.expect("an answer");
    assert_eq!(left.status(), 204);
    World { server, people, memories }
}

/// Each state and who reads it.
fn expected() -> Vec<(String, Vec<&'static str>)> {
    let lines = EXPECTED.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (state, readers) = line.split_once(':').expect("a state and its readers");
            (state.trim().to_owned(), readers.split_whitespace().collect())
        })
        .collect()
}

fn sight(status: u16) -> Sight {
    match status {
        200 => Sight::Seen,
        404 => Sight::Nothing,
        403 => Sight::Forbidden,
        other => Sight::Other(other),
    }
}

fn listed(answer: &Value, id: &str) -> Sight {
    if ids(answer).iter().any(|listed| listed == id) { Sight::Seen } else { Sight::Nothing }
}

impl World {
    async fn call(&self, caller: &Person, tool: &str, data: Value) -> (u16, Value) {
        let (status, mut answer) = self.server.try_call(caller, tool, data).await;
        (status.as_u16(), answer["data"].take())
    }

    /// A call at the MCP door: whether it failed and with which code, and its structured content.
    async fn mcp(&self, caller: &Person, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = crate::mcp::wire::modern(&self.server, caller, method, body["params"].clone());
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    async fn mcp_tool(&self, caller: &Person, tool: &str, data: Value) -> (Sight, Value) {
        let answer = self.mcp(caller, "tools/call", json!({ "name": tool, "arguments": data })).await;
        let content = answer["result"]["structuredContent"].clone();
        let sight = match content["code"].as_str() {
            None if content.is_null() => Sight::Other(0),
            None => Sight::Seen,
            Some("not_found") => Sight::Nothing,
            Some("forbidden") => Sight::Forbidden,
            Some(_) => Sight::Other(1),
        };
        (sight, content)
    }

    /// Every way to read the memory, and what the caller sees by it.
    async fn reads(&self, caller: &Person, id: &str) -> Vec<(String, Sight)> {
        let owner = &self.people["owner"].user_id;
        let one = json!({ "memory_id": id });
        let mut seen = Vec::new();
        seen.push(("REST tool get_memory".to_owned(), sight(self.call(caller, "get_memory", one.clone()).await.0)));
        let get = self.server.get(&format!("/api/memories/{id}")).bearer_auth(&caller.token).send().await.expect("an answer");
        seen.push(("REST GET".to_owned(), sight(get.status().as_u16())));
        let list = self.server.get(&format!("/api/memories?user_id={owner}&limit=200&expiration_status=all"));
        let list: Value = list.bearer_auth(&caller.token).send().await.expect("an answer").json().await.expect("JSON");
        seen.push(("REST list".to_owned(), listed(&list, id)));
        seen.push(("MCP tool get_memory".to_owned(), self.mcp_tool(caller, "get_memory", one).await.0));
        let resource = self.mcp(caller, "resources/read", json!({ "uri": format!("memories://{id}") })).await;
        let is_read = resource["result"]["contents"][0]["text"].as_str().is_some_and(|text| text.contains(id));
        assert!(is_read || resource["error"]["code"] == -32602 || resource["error"]["code"] == -32002, "MEM-16 {resource}");
        seen.push(("MCP resource".to_owned(), if is_read { Sight::Seen } else { Sight::Nothing }));
        for mode in ["semantic", "keyword", "hybrid"] {
            let data = json!({ "query": QUERY, "scope": "all", "mode": mode, "limit": 100, "expiration_status": "all" });
            seen.push((format!("REST search {mode}"), listed(&self.call(caller, "query_memory", data.clone()).await.1, id)));
            seen.push((format!("MCP search {mode}"), listed(&self.mcp_tool(caller, "query_memory", data).await.1, id)));
        }
        seen
    }

    /// Every way to change the memory or to look into its past: each leaves it as it is for all but the owner.
    async fn changes(&self, caller: &Person, id: &str) -> Vec<(String, Sight)> {
        let mut seen = Vec::new();
        for (tool, more) in [
            ("update_memory", json!({ "text": "taken over" })),
            ("modify_permissions", json!({ "permission": "public" })),
            ("modify_permissions", json!({ "permission": "shared", "shared_with": { "users": [caller.user_id] } })),
            ("restore_memory", json!({ "version": 1 })),
            ("memory_history", json!({})),
            ("delete_memory", json!({})),
        ] {
            let mut data = json!({ "memory_id": id });
            crate::kit::merge(&mut data, more);
            seen.push((format!("REST {tool}"), sight(self.call(caller, tool, data.clone()).await.0)));
            seen.push((format!("MCP {tool}"), self.mcp_tool(caller, tool, data).await.0));
        }
        seen
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn every_caller_sees_of_every_memory_what_the_table_says(pool: PgPool) {
    let world = world(&pool).await;
    let (mut cells, mut wrong) = (0, Vec::new());

    for (state, readers) in expected() {
        let id = &world.memories[&state];
        for name in CALLERS {
            let caller = &world.people[name];
            let reads = readers.contains(&name);
            for (way, seen) in world.reads(caller, id).await {
                cells += 1;
                let expected = if reads { Sight::Seen } else { Sight::Nothing };
                if seen != expected {
                    wrong.push(format!("{state}, {name}, {way}: {seen:?} instead of {expected:?}"));
                }
            }
            if name == "owner" || name == "reader_only" {
                continue;
            }
            for (way, seen) in world.changes(caller, id).await {
                cells += 1;
                let expected = if reads { Sight::Forbidden } else { Sight::Nothing };
                if seen != expected {
                    wrong.push(format!("{state}, {name}, {way}: {seen:?} instead of {expected:?}"));
                }
            }
        }
    }

    assert!(wrong.is_empty(), "MEM-01, MEM-02: {} of {cells} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let kept = "SELECT count(*) FROM memories WHERE version = 1 OR expiration_date IS NOT NULL";
    assert_eq!(crate::kit::number(&pool, kept).await as usize, world.memories.len() - 1, "nobody changed anything");
    println!("MEM-01: {cells} cells");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn without_a_persons_token_there_is_nothing(pool: PgPool) {
    let world = world(&pool).await;
    for id in world.memories.values() {
        for path in [format!("/api/memories/{id}"), "/api/memories".to_owned(), "/api/memories/export".to_owned()] {
            let nobody = world.server.get(&path).send().await.expect("an answer");
            assert_eq!(nobody.status(), 401, "MEM-01 anonymous {path}");
            let administrator = world.server.get(&path).basic_auth(ADMIN.0, Some(ADMIN.1)).send().await.expect("an answer");
            assert_eq!(administrator.status(), 401, "MEM-01 administrator {path}");
            let client =
                world.server.get(&path).basic_auth(world.server.client_id(), Some("secret")).send().await.expect("an answer");
            assert_eq!(client.status(), 401, "MEM-01 client {path}");
        }
    }
}
