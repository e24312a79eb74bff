//! Writers that never give up: each write is repeated under one key until it is acknowledged.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::kit::{Person, client};

/// How long a write is repeated until it counts as never to succeed.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the writers were told.
#[derive(Debug, Default)]
pub struct Written {
    /// The acknowledged memories.
    pub ids: Vec<String>,
    /// Answers that should not be.
    pub wrong: Vec<String>,
    /// The longest that an answer took.
    pub slowest: Duration,
    /// When the last acknowledged request was sent.
    newest: Option<Instant>,
}

/// Writers at work.
pub struct Load {
    written: Arc<Mutex<Written>>,
    stop: watch::Sender<bool>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn begin(url: &str, person: &Person, writers: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let written = Arc::new(Mutex::new(Written::default()));
        let begin = |number: usize| {
            let writer = Writer {
                http: client(),
                url: format!("{url}/api/tools"),
                token: person.token.clone(),
                written: Arc::clone(&written),
            };
            tokio::spawn(writer.run(number, stopped.clone()))
        };
        let writers = (0..writers).map(begin).collect();
        Self { written, stop, writers }
    }

    /// How long it takes from now until a request that is sent from now on is acknowledged.
    pub async fn until_success(&self) -> Duration {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.written.lock().expect("the lock").newest.is_some_and(|newest| newest >= began) {
                return began.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    /// Carries what is under way to its end.
    pub async fn end(self) -> Written {
        self.stop.send_replace(true);
        for writer in self.writers {
            writer.await.expect("a writer");
        }
        std::mem::take(&mut *self.written.lock().expect("the lock"))
    }
}

struct Writer {
    http: reqwest::Client,
    url: String,
    token: String,
    written: Arc<Mutex<Written>>,
}

impl Writer {
    async fn run(self, writer: usize, stopped: watch::Receiver<bool>) {
        let mut number = 0;
        while !*stopped.borrow() {
            number += 1;
            self.write(&format!("writer-{writer}-{number}")).await;
        }
    }

    async fn write(&self, name: &str) {
        let call = json!({ "tool": "submit_memory", "data": { "text": name } });
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let sent = Instant::now();
            let request = self.http.post(&self.url).bearer_auth(&self.token).header("idempotency-key", name).json(&call);
            let answer = match request.send().await {
                Ok(response) => Some((response.status().as_u16(), response.json::<Value>().await.unwrap_or_default())),
                Err(_) => None,
            };
            if self.is_settled(sent, answer) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.written.lock().expect("the lock").wrong.push(format!("{name} was never acknowledged"));
    }

    /// Notes an answer; whether it is the last one of this write.
    fn is_settled(&self, sent: Instant, answer: Option<(u16, Value)>) -> bool {
        let mut written = self.written.lock().expect("the lock");
        written.slowest = written.slowest.max(sent.elapsed());
        match answer {
            Some((200, answer)) if answer["data"]["id"].is_string() => {
                written.ids.push(answer["data"]["id"].as_str().unwrap_or_default().to_owned());
                written.newest = written.newest.max(Some(sent));
                true
            }
            // Away, or the same key is under way; or the server went before it had answered in full.
            Some((200 | 409 | 503, _)) | None => false,
            Some((status, answer)) => {
                written.wrong.push(format!("{status} {answer}"));
                true
            }
        }
    }
}
