//! `picard-server mcp-stdio`: a client that starts programs, and a server elsewhere.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::kit::browser::Browser;
use crate::kit::{TestServer, number};

const SOON: Duration = Duration::from_secs(20);

/// The program that a client has started.
struct Bridge {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Bridge {
    fn start(server: &TestServer, home: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_picard-server"))
            .args(["mcp-stdio", "--url", &format!("{}/mcp", server.url)])
            .env_clear()
            // There is no browser to be opened: the address is printed.
            .env("PATH", "/nonexistent")
            .env("XDG_CONFIG_HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let stdin = child.stdin.take().expect("its input");
        let stdout = BufReader::new(child.stdout.take().expect("its output")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("its log")).lines();
        Self { child, stdin, stdout, stderr }
    }

    async fn send(&mut self, message: Value) {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await.expect("it listens");
    }

    async fn next(&mut self) -> Value {
        let line = timeout(SOON, self.stdout.next_line()).await.expect("a line").expect("output").expect("it runs");
        serde_json::from_str(&line).expect("JSON")
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.send(message).await;
        self.next().await
    }

    /// The address at which the person signs in.
    async fn address(&mut self) -> String {
        loop {
            let line = timeout(SOON, self.stderr.next_line()).await.expect("a line").expect("a log").expect("it runs");
            if line.trim().starts_with("http") {
                return line.trim().to_owned();
            }
        }
    }

    /// The client goes: what else it was told, and whether the program ended well.
    async fn end(mut self) -> (String, bool) {
        drop(self.stdin);
        let status = timeout(SOON, self.child.wait()).await.expect("it ends").expect("its end");
        let mut said = String::new();
        while let Ok(Some(line)) = self.stderr.next_line().await {
            said += &line;
        }
        (said, status.success())
    }
}

async fn allow(browser: &Browser, address: &str) {
    let question = browser.get(address).await;
    let form = [("csrf", &*question.field("csrf")), ("request", &*question.field("request")), ("decision", "allow")];
    let answer = browser.post("/consent", &form).await;
    let callback = answer.location().to_owned();
    assert!(callback.starts_with("http://127.0.0.1:"), "{callback}");
    assert_eq!(crate::kit::client().get(callback).send().await.expect("an answer").status(), 200);
}

fn modern(id: u32, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" } });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn submit(id: u32, text: &str) -> Value {
    modern(id, "tools/call", json!({ "name": "submit_memory", "arguments": { "text": text } }))
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_person_signs_in_once(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let home = tempfile::tempdir().expect("a folder");
    let browser = Browser::of(&server, "ada").await;

    let mut first = Bridge::start(&server, home.path());
    first.send(modern(1, "tools/list", json!({}))).await;
    let address = first.address().await;
    allow(&browser, &address).await;
    let listed = first.next().await;
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(picard_app::catalogue::CATALOGUE.len()), "{listed}");
    let stored = first.ask(submit(2, "through a pipe")).await;
    assert_eq!(stored["result"]["structuredContent"]["text"], "through a pipe", "no second sign-in: {stored}");
    assert!(first.end().await.1);

    let mut second = Bridge::start(&server, home.path());
    let found = second.ask(modern(3, "tools/call", json!({ "name": "get_memories", "arguments": {} }))).await;
    assert_eq!(found["result"]["structuredContent"]["total"], 1);
    let (said, is_well) = second.end().await;
    assert!(is_well && !said.contains("http"), "nobody was asked again: {said}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_older_client_has_its_session_and_tokens_are_renewed_together(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let home = tempfile::tempdir().expect("a folder");
    let browser = Browser::of(&server, "ada").await;
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    let mut first = Bridge::start(&server, home.path());
    first.send(hello.clone()).await;
    let address = first.address().await;
    allow(&browser, &address).await;
    assert_eq!(first.next().await["result"]["protocolVersion"], "2025-11-25");
    first.send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let call = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "get_memories", "arguments": {} } });
    assert_eq!(first.ask(call(2)).await["result"]["structuredContent"]["total"], 0);

    // Both find that their token has ended, and one of them renews it.
    let file = std::fs::read_dir(home.path().join("picard/mcp")).expect("a folder");
    let file =
        file.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "json")).expect("a file");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    kept["access_token"] = "outdated".into();
    std::fs::write(&file, kept.to_string()).expect("it is written");
    let (mut second, mut third) = (Bridge::start(&server, home.path()), Bridge::start(&server, home.path()));
    let (left, right) =
        tokio::join!(second.ask(modern(3, "tools/list", json!({}))), third.ask(modern(4, "tools/list", json!({}))));
    assert!(left["result"].is_object() && right["result"].is_object(), "{left} {right}");
    assert_eq!(
        number(&pool, "SELECT count(*) FROM grants WHERE revoked_at IS NOT NULL").await,
        0,
        "REF-04: nobody used a token twice"
    );
    for bridge in [first, second, third] {
        let (said, is_well) = bridge.end().await;
        assert!(is_well, "{said}");
    }
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_server_that_is_away_is_an_error_and_not_the_end(pool: PgPool) {
    let server = TestServer::spawn(&pool).await;
    let home = tempfile::tempdir().expect("a folder");
    let mut bridge = Bridge::start(&server, home.path());
    server.stop().await;

    let answer = bridge.ask(modern(1, "tools/list", json!({}))).await;

    assert_eq!((&answer["id"], answer["error"]["code"].is_number()), (&json!(1), true), "{answer}");
    assert!(bridge.end().await.1);
}
