//! Answers of personas while they are written, and what can go wrong with that.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::kit::llm::{FakeLlm, Reply};
use crate::kit::word;
use crate::personas::server;

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_answer_is_streamed(pool: PgPool) {
    let llm = FakeLlm::spawn().await;
    let server = server(&pool, &llm, &[]).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    server.publish(&ada, "My favourite tea is Earl Grey.").await;
    let ask = async || {
        let data = json!({ "user_id": ada.user_id, "prompt": "favourite tea", "stream": true });
        server.send_call(&bob, "query_user", data).await
    };
    let events = |text: String| -> Vec<(String, Value)> {
        let event = |event: &str| {
            let (name, data) = event.split_once('\n').expect("two lines");
            (name["event: ".len()..].to_owned(), serde_json::from_str(&data["data: ".len()..]).expect("JSON"))
        };
        text.split("\n\n").filter(|event| !event.is_empty()).map(event).collect()
    };
    llm.script([Reply::Says(["Earl", " Grey", " [1]."].map(str::to_owned).to_vec(), Duration::from_millis(200))]);
    let mut response = ask().await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let began = std::time::Instant::now();
    let first = response.chunk().await.expect("a piece").expect("a piece");
    assert!(
        String::from_utf8_lossy(&first).contains("Earl") && began.elapsed() < Duration::from_millis(350),
        "it comes as it is written"
    );
    let rest = format!("{}{}", String::from_utf8_lossy(&first), response.text().await.expect("the rest"));
    let told = events(rest);
    let text: String = told.iter().filter(|(name, _)| name == "token").map(|(_, data)| word(&data["text"])).collect();
    let (name, done) = told.last().expect("an end");
    assert_eq!((name.as_str(), &done["response"], text.as_str()), ("done", &json!("Earl Grey."), "Earl Grey."));
    assert_eq!(done["citations"][0]["end"], 10);

    llm.script([Reply::BreaksOff(vec!["Earl ".to_owned(), "Gr".to_owned()])]);
    let told = events(ask().await.text().await.expect("events"));
    let (name, error) = told.last().expect("an end");
    assert_eq!((name.as_str(), &error["code"]), ("error", &json!("unavailable")), "{told:?}");

    llm.script([Reply::Status(400, json!({})), Reply::FallsSilent]);
    let refused = ask().await;
    assert_eq!(refused.status(), 503, "what fails before the first word is refused as ever");
    let left = llm.left();
    let mut response = ask().await;
    response.chunk().await.expect("a piece");
    drop(response);
    crate::kit::eventually("the model is left alone", async || llm.left() > left).await;
    let wrong = json!({ "user_id": ada.user_id, "prompt": "tea", "stream": "yes" });
    assert_eq!(server.blamed(&bob, "query_user", wrong).await, "stream");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn what_goes_wrong_is_bounded_and_explained(pool: PgPool) {
    let llm = FakeLlm::spawn().await;
    let server = server(&pool, &llm, &[]).await;
    let ada = server.sign_in("ada").await;
    server.publish(&ada, "Tea.").await;
    let ask = json!({ "user_id": ada.user_id, "prompt": "tea?" });
    for reply in [
        Reply::Nonsense,
        Reply::ErrorEvent,
        Reply::BreaksOff(vec![]),
        Reply::Status(401, json!({ "error": { "message": "a secret" } })),
    ] {
        llm.script([reply.clone()]);
        let (status, answer) = server.try_call(&ada, "query_user", ask.clone()).await;
        assert_eq!((status.as_u16(), &answer["code"]), (503, &json!("unavailable")), "{reply:?}");
        assert!(!answer.to_string().contains("secret"), "LLM-10 {answer}");
    }
    llm.script([Reply::Whole("Tea [1].".to_owned())]);
    assert_eq!(server.call(&ada, "query_user", ask.clone()).await["response"], "Tea.");
    llm.script([Reply::Endless]);
    let long = server.call(&ada, "query_user", ask.clone()).await;
    assert!(long["is_truncated"] == true && word(&long["response"]).len() < 20_000, "LLM-05, FLT-11");
    llm.script([Reply::Busy(60)]);
    let busy = server.send_call(&ada, "query_user", ask).await;
    assert_eq!((busy.status().as_u16(), busy.headers()["retry-after"].to_str().ok()), (503, Some("60")));
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn an_owner_limits_the_answers_of_a_day(pool: PgPool) {
    let llm = FakeLlm::spawn().await;
    let server = server(&pool, &llm, &[]).await;
    let (ada, bob) = (server.sign_in("ada").await, server.sign_in("bob").await);
    server.publish(&ada, "Tea.").await;
    let set = async |limit: Value| {
        let request = server.request(reqwest::Method::PUT, "/api/personas/limits").bearer_auth(&ada.token);
        request.json(&json!({ "answers_a_day": limit })).send().await.expect("an answer").status().as_u16()
    };
    let ask = json!({ "user_id": ada.user_id, "prompt": "tea?" });
    assert_eq!(set(json!(2)).await, 204);
    llm.script([Reply::Status(400, json!({}))]);
    assert_eq!(server.fail(&bob, "query_user", ask.clone()).await.0, 503);
    for _ in 0..2 {
        server.call(&bob, "query_user", ask.clone()).await;
    }
    let refused = server.send_call(&bob, "query_user", ask.clone()).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true), "LLM-07");
    server.call(&ada, "query_user", ask.clone()).await;
    assert_eq!(set(json!(0)).await, 204);
    assert_eq!(server.fail(&bob, "query_user", ask.clone()).await.0, 429);
    assert_eq!(set(json!(2_000_000)).await, 422);
    assert_eq!(set(Value::Null).await, 204);
    server.call(&bob, "query_user", ask).await;
    let shown = server.get("/api/personas/limits").bearer_auth(&ada.token).send().await.expect("an answer");
    assert_eq!(shown.json::<Value>().await.expect("JSON"), json!({ "answers_a_day": null }));
}
