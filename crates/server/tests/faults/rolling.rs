//! Servers are replaced one after the other while people write and read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::balancer::Balancer;
use crate::kit::postgres::Postgres;
use crate::kit::{Person, TestServer, client};
use crate::load::Written;
use crate::outcome::Outcome;

const CLIENTS: usize = 16;
/// How long the balancer may take to find a server that has started.
const PATIENCE: Duration = Duration::from_secs(30);

/// OPS-06: two servers behind a balancer are stopped and started in turns; no request fails, for whatever reason.
pub async fn restarts(cycles: usize) -> Outcome {
    let postgres = Postgres::create().await.expect("a PostgreSQL");
    let mut server = TestServer::spawn_at(postgres.url("picard"), &[]).await;
    let ada = server.sign_in("ada").await;
    // Only the two behind the balancer are left.
    server.halt().await;
    let drain = ["--drain-seconds", "1"];
    let mut processes = [Some(server.process(&drain).await), Some(server.process(&drain).await)];
    let urls: Vec<String> = processes.iter().flatten().map(|process| process.url.clone()).collect();
    let balancer = Balancer::of(&urls).await;
    let (stop, stopped) = watch::channel(false);
    let work = |number| tokio::spawn(Client::of(&balancer, &ada).work(number, stopped.clone()));
    let clients: Vec<_> = (0..CLIENTS).map(work).collect();
    let mut wrong = Vec::new();
    for _ in 0..cycles {
        for (index, url) in urls.iter().enumerate() {
            processes[index].take().expect("it runs").stop().await;
            let address = url.trim_start_matches("http://");
            processes[index] = Some(server.process(&["--drain-seconds", "1", "--server-addr", address]).await);
            let began = Instant::now();
            while !balancer.sends_to(index) && began.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if !balancer.sends_to(index) {
                wrong.push(format!("server {index} was not found again"));
            }
        }
    }
    stop.send_replace(true);
    let mut written = Written::default();
    for client in clients {
        let one = client.await.expect("a client");
        written.ids.extend(one.ids);
        written.wrong.extend(one.wrong);
        written.slowest = written.slowest.max(one.slowest);
    }
    written.wrong.extend(wrong);
    for process in processes.into_iter().flatten() {
        process.stop().await;
    }
    Outcome::of("OPS-06 rolling restarts", &server.database_url, &ada, written).await
}

/// Somebody who expects every request to succeed at the first try.
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    written: Written,
}

impl Client {
    fn of(balancer: &Balancer, person: &Person) -> Self {
        let url = format!("{}/api/tools", balancer.url);
        Self { http: client(), url, token: person.token.clone(), written: Written::default() }
    }

    async fn work(mut self, client: usize, stopped: watch::Receiver<bool>) -> Written {
        let mut number = 0;
        while !*stopped.borrow() {
            number += 1;
            let text = format!("client {client}, note {number}");
            let Some(memory) = self.call("submit_memory", json!({ "text": text })).await else { continue };
            self.written.ids.push(memory["id"].as_str().unwrap_or_default().to_owned());
            let read = self.call("get_memory", json!({ "memory_id": memory["id"] })).await;
            if read.is_some_and(|read| read["text"] != text) {
                self.written.wrong.push(format!("another text was read than {text}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.written
    }

    async fn call(&mut self, tool: &str, data: Value) -> Option<Value> {
        let sent = Instant::now();
        let request = self.http.post(&self.url).bearer_auth(&self.token).json(&json!({ "tool": tool, "data": data }));
        let outcome = match request.send().await {
            Ok(answer) if answer.status() == 200 => answer.json::<Value>().await.map_err(|error| format!("{tool}: {error:?}")),
            Ok(answer) => Err(format!("{tool}: {} {}", answer.status(), answer.text().await.unwrap_or_default())),
            Err(error) => Err(format!("{tool}: {error:?}")),
        };
        self.written.slowest = self.written.slowest.max(sent.elapsed());
        match outcome {
            Ok(mut answer) => Some(answer["data"].take()),
            Err(wrong) => {
                self.written.wrong.push(wrong);
                None
            }
        }
    }
}
