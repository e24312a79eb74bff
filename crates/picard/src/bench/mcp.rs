//! What the same call costs over MCP and over REST.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::figures::Figures;
use super::report::{Measurement, Target};
use crate::problem::Problem;
use crate::rest::Person;

/// A call over MCP may take so many times as long.
const TARGET: f64 = 1.3;
/// Pairs that are run before anything is measured.
const WARM_UP: u32 = 50;

/// `get_memory` over both doors, by turns, with one client and with sixteen.
pub(super) async fn measure(
    http: &Client,
    person: &Person,
    server_url: &str,
    seconds: Duration,
) -> Result<Vec<Measurement>, Problem> {
    let list = person.call("retrieve_memories", json!({ "limit": 1 })).await?;
    let calls = Calls { http, person, server_url, data: json!({ "memory_id": list["memories"][0]["id"] }) };
    let mut measured = Vec::new();
    for (name, clients) in
        [("get_memory over MCP against REST, one client", 1), ("get_memory over MCP against REST, 16 clients", 16)]
    {
        let (mut rest, mut mcp) = (Vec::new(), Vec::new());
        let mut number = 0;
        let mut began = Instant::now();
        while number <= WARM_UP || began.elapsed() < seconds {
            // Every other time in the other order.
            let (over_rest, over_mcp) = if number % 2 == 0 {
                let over_rest = calls.all(clients, Calls::rest).await?;
                (over_rest, calls.all(clients, Calls::mcp).await?)
            } else {
                let over_mcp = calls.all(clients, Calls::mcp).await?;
                (calls.all(clients, Calls::rest).await?, over_mcp)
            };
            number += 1;
            if number == WARM_UP {
                began = Instant::now();
            } else if number > WARM_UP {
                rest.push(over_rest);
                mcp.push(over_mcp);
            }
        }
        let ratios = rest.iter().zip(&mcp).map(|(rest, mcp)| mcp.as_secs_f64() / rest.as_secs_f64()).collect();
        let times = (Figures::of_times(&rest), Figures::of_times(&mcp));
        measured.push(Measurement::ratio(name, times, Figures::of(ratios), Target::AtMost(TARGET)));
    }
    Ok(measured)
}

struct Calls<'a> {
    http: &'a Client,
    person: &'a Person,
    server_url: &'a str,
    data: Value,
}

impl Calls<'_> {
    fn rest(&self) -> RequestBuilder {
        let body = json!({ "tool": "get_memory", "data": self.data });
        self.http.post(format!("{}/api/tools", self.server_url)).bearer_auth(self.person.access_token()).json(&body)
    }

    fn mcp(&self) -> RequestBuilder {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} });
        let params = json!({ "name": "get_memory", "arguments": self.data, "_meta": meta });
        self.http
            .post(format!("{}/mcp", self.server_url))
            .bearer_auth(self.person.access_token())
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "get_memory")
            .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }))
    }

    /// So many calls at once: how long until the last has its answer.
    async fn all(&self, clients: usize, request: fn(&Self) -> RequestBuilder) -> Result<Duration, Problem> {
        let began = Instant::now();
        let failed = |error: reqwest::Error| Problem::from_error("call get_memory", &error);
        let call = async || {
            let response = request(self).send().await.map_err(failed)?;
            if response.status() != StatusCode::OK {
                return Err(Problem::new(format!("get_memory is answered with {}", response.status())));
            }
            response.bytes().await.map_err(failed)
        };
        try_join_all((0..clients).map(|_| call())).await?;
        Ok(began.elapsed())
    }
}
