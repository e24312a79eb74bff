//! Making personas, asking them, and what their owners see.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::kit::{Browser, House, Trouble};

/// Makes a persona and answers its path.
async fn make(browser: &Browser, name: &str, is_public: &str) -> String {
    let fields =
        [("name", name), ("description", "what I *drink*"), ("tags", "hot, cold"), ("top_n", "5"), ("is_public", is_public)];
    let made = browser.post("/personas/new", &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    made.location().split('?').next().expect("a path").to_owned()
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_persona_is_made_changed_published_hidden_and_deleted(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    assert!(browser.get("/personas").await.contains("No personas yet"));

    let path = make(&browser, "Tea <b>", "").await;
    let stored = house.server.memo().personas[0].clone();
    assert_eq!((&stored["tags"], &stored["top_n"], &stored["is_public"]), (&json!(["hot", "cold"]), &json!(5), &json!(false)));
    let page = browser.get(&path).await;
    assert!(page.contains("Tea &#60;b&#62;") && page.contains("<em>drink</em>") && page.contains("Only you"), "{}", page.body);
    let edit = browser.get(&format!("{path}/edit")).await;
    assert!(edit.contains(r#"value="hot, cold""#) && edit.contains(r#"value="5""#));
    let fields = [("name", "Tea"), ("instructions", "short"), ("temperature", "0,5"), ("model", "big"), ("top_n", "7")];
    assert!(browser.post(&format!("{path}/edit"), &fields).await.location().ends_with("?done=saved"));
    let stored = house.server.memo().personas[0].clone();
    assert_eq!((&stored["temperature"], &stored["model"], &stored["tags"]), (&json!(0.5), &json!("big"), &json!([])));

    let change = format!("{path}/change");
    assert!(browser.post(&change, &[("to", "public")]).await.location().ends_with("?done=published"));
    assert_eq!(house.server.memo().personas[0]["is_public"], true);
    assert!(browser.get(&path).await.contains("Hide"));
    browser.post(&change, &[("to", "hidden")]).await;
    assert_eq!(house.server.memo().personas[0]["is_public"], false, "LLM-08: hidden at once");
    assert_eq!(browser.post(&change, &[("to", "else")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.post(&change, &[("to", "deleted")]).await.location(), "/personas?done=persona-deleted");
    assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_form_with_mistakes_keeps_what_was_typed(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.get("/personas/new").await;

    let fields = [("name", "Tea"), ("instructions", "be <kind>"), ("temperature", "warm"), ("top_n", "many")];
    let page = browser.post("/personas/new", &fields).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.contains("be &#60;kind&#62;") && page.contains(r#"id="temperature-error""#) && page.contains(r#"id="top_n-error""#)
    );
    let page = browser.post("/personas/new", &[("name", ""), ("top_n", "5")]).await;
    assert!(page.contains(r#"id="name-error""#) && page.contains("The name must have 1 to 100 characters."), "{}", page.body);
    assert_eq!(house.server.memo().personas.len(), 0);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_answer_leads_to_the_memories_it_rests_on(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.write("I drink *green* tea").await;
    let memory = house.server.memo().memories[0]["id"].as_str().expect("an id").to_owned();
    let path = make(&browser, "Tea", "").await;

    let page = browser.post(&path, &[("prompt", "What do I drink?\r\nNow?")]).await;

    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.contains(r##"Green tea &lt;b&gt;.<a class="cite" href="#source-1""##), "WEB-01: {}", page.body);
    assert!(page.contains(&format!(r#"<a href="/memories/{memory}">I drink green tea</a>"#)));
    assert!(page.contains("Written by a model") && page.contains("What do I drink?"), "LLM-05, and the question stays");
    assert_eq!(house.server.memo().asked[0]["prompt"], "What do I drink?\nNow?");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_answer_is_passed_on_word_by_word_and_clean_at_the_end(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.write("green tea").await;
    let path = make(&browser, "Tea", "").await;
    let answer = format!("{path}/answer");

    let stream = browser.post(&answer, &[("prompt", "What?")]).await;
    assert_eq!(stream.header("content-type"), "text/event-stream; charset=utf-8");
    let (words, end) = stream.body.split_once("event: done").expect("an end");
    assert_eq!(words.matches("event: token").count(), 2, "{words}");
    assert!(end.contains("source-1") && end.contains("&lt;b&gt;") && !end.contains("<b>"), "WEB-01: {end}");
    for token in &house.server.memo().issued {
        assert!(!stream.contains(token), "WEB-05");
    }

    let broken = browser.post(&answer, &[("prompt", "fail")]).await;
    assert!(broken.contains("event: error") && broken.contains("cannot be reached"), "{}", broken.body);
    let page = browser.post(&path, &[("prompt", "fail")]).await;
    assert!(page.status == StatusCode::SERVICE_UNAVAILABLE && page.contains(">\nfail</textarea>"), "{}", page.body);
    house.server.trouble("/api/tools", Trouble::Says(429, json!({"code": "rate_limited"})));
    assert!(browser.post(&answer, &[("prompt", "What?")]).await.contains("asks for a short break"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn others_find_and_ask_what_is_public_and_nothing_else_llm_08(pool: PgPool) {
    let house = House::open(pool).await;
    let ada = house.connected("ada").await;
    let (public, private) = (make(&ada, "Tea house", "yes").await, make(&ada, "Tea secret", "").await);
    let owner = house.server.memo().people["ada"];
    let grace = house.connected("grace").await;

    let found = grace.get("/personas?q=Tea").await;
    assert!(found.contains(&format!("{public}?by={owner}")) && !found.contains("secret"), "{}", found.body);
    let page = grace.get(&format!("{public}?by={owner}")).await;
    assert!(page.contains("Tea house") && !page.contains("/edit\"") && page.contains("can see who asked what"));
    let by = owner.to_string();
    let answered = grace.post(&public, &[("prompt", "What?"), ("by", &by)]).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.body);

    let shown = |page: &crate::kit::Page| page.body.split_once("<main").map(|(_, main)| main.to_owned());
    let hidden = grace.get(&format!("{private}?by={owner}")).await;
    let unknown = grace.get(&format!("/personas/{}?by={owner}", uuid::Uuid::new_v4())).await;
    assert_eq!((hidden.status, shown(&hidden)), (StatusCode::NOT_FOUND, shown(&unknown)));
    assert_eq!(grace.post(&private, &[("prompt", "What?"), ("by", &by)]).await.status, StatusCode::NOT_FOUND);
    assert!(grace.post(&format!("{private}/answer"), &[("prompt", "What?")]).await.contains("event: error"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_owner_sees_who_asked_what_and_may_refuse_somebody(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = make(&browser, "Tea", "yes").await;
    let grace = uuid::Uuid::new_v4();
    let id = path.rsplit('/').next().expect("an id").to_owned();
    house.server.memo().questions = vec![json!({
        "id": uuid::Uuid::new_v4(), "persona_id": id, "asker": {"id": grace, "username": "grace"},
        "asked_at": "2026-01-01T00:00:00.000000+00:00", "question": "<b>What?", "memories": [uuid::Uuid::new_v4()], "mode": "llm",
    })];

    let page = browser.get(&format!("/personas/questions?persona_id={id}")).await;
    assert!(page.contains("&#60;b&#62;What?") && page.contains("grace") && page.contains("1 Jan 2026"), "{}", page.body);
    let blocked = browser.post("/personas/blocks", &[("user_id", &grace.to_string()), ("to", "blocked")]).await;
    assert_eq!(blocked.location(), "/personas/questions?done=blocked");
    assert!(house.server.memo().blocks.contains(&grace));
    assert!(browser.get("/personas/questions").await.contains("Answer again"));
    browser.post("/personas/blocks", &[("user_id", &grace.to_string()), ("to", "answered")]).await;
    assert!(house.server.memo().blocks.is_empty());
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn with_a_connection_for_reading_personas_are_asked_and_not_made(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = make(&browser, "Tea", "").await;

    browser.post("/connect", &[("access", "read")]).await;

    let (list, one) = (browser.get("/personas").await, browser.get(&path).await);
    assert!(!list.contains(r#"href="/personas/new""#) && one.contains(r#"id="ask""#));
    assert!(!one.contains("/edit\"") && !one.contains("/change\""));
    assert_eq!(browser.get("/personas/new").await.status, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_question_is_not_lost_when_the_persona_cannot_be_shown(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let path = make(&browser, "Tea", "").await;

    for status in [401, 429, 503] {
        house.server.trouble("/api/tools", Trouble::Says(status, json!({"code": "x"})));
        let page = browser.post(&path, &[("prompt", "What do I drink?")]).await;
        assert_eq!(page.text_area(), "What do I drink?", "{status}");
    }
    let unconnected = house.member("grace").await;
    assert_eq!(unconnected.post(&path, &[("prompt", "What?")]).await.text_area(), "What?");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn personas_of_people_in_the_directory_are_shown_before_anything_is_looked_for(pool: PgPool) {
    let house = House::open(pool).await;
    house.connected("ada").await;
    let grace = house.connected("grace").await;
    let (ada, persona) = (house.server.memo().people["ada"], uuid::Uuid::new_v4());
    house.server.memo().listed.insert(ada, json!([{"id": persona, "name": "Tea <b>"}]));

    let page = grace.get("/personas").await;

    assert!(page.contains("Of people in the directory") && page.contains("Tea &#60;b&#62;"), "{}", page.body);
    assert!(page.contains(&format!("/personas/{persona}?by={ada}")));
    assert!(!grace.get("/personas?q=coffee").await.contains("Tea &#60;b&#62;"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_persona_that_was_changed_elsewhere_is_not_overwritten_unseen(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let edit = format!("{}/edit", make(&browser, "Tea", "").await);
    let first = browser.get(&edit).await.field("updated_at").expect("a time");
    let fields = |name, known| [("name", name), ("top_n", "5"), ("updated_at", known)];
    assert_eq!(browser.post(&edit, &fields("of the other tab", &first)).await.status, StatusCode::SEE_OTHER);

    let conflict = browser.post(&edit, &fields("of this tab", &first)).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert!(conflict.contains("changed elsewhere") && conflict.contains(r#"value="of this tab""#), "{}", conflict.body);
    assert_eq!(house.server.memo().personas[0]["name"], "of the other tab");
    let known = conflict.field("updated_at").expect("a time");
    assert_eq!(browser.post(&edit, &fields("of this tab", &known)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.server.memo().personas[0]["name"], "of this tab");
}
