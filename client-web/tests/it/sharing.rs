//! With whom memories are shared.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::kit::{Browser, House, Trouble};

/// A memory of Ada's that is shared with Grace, with a group, and with a group that Ada has left.
async fn shared(house: &House, browser: &Browser) -> (String, Uuid, Uuid, Uuid) {
    let grace = house.server.memo().people["grace"];
    let (group, left) = (Uuid::new_v4(), Uuid::new_v4());
    house.server.memo().groups = vec![json!({"id": group, "name": "Family <b>", "owner_id": grace, "members": []})];
    let created = browser.post("/memories/new", &[("text", "for some"), ("permission", "shared")]).await;
    let path = created.location().split("/sharing").next().expect("a path").to_owned();
    house.server.memo().memories[0]["shared_with"] = json!({"users": [grace], "groups": [group, left]});
    (path, grace, group, left)
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_shared_memory_says_with_whom_to_those_who_may_only_read_too(pool: PgPool) {
    let house = House::open(pool).await;
    house.connected("grace").await;
    let browser = house.connected("ada").await;
    let (path, _, _, left) = shared(&house, &browser).await;
    let left = &left.to_string()[..8];
    let expected = format!("Shared with: Family &#60;b&#62;, grace, a group that you have left ({left})");

    assert!(browser.get(&path).await.contains(&expected), "{}", browser.get(&path).await.body);
    let picker = browser.get(&format!("{path}/sharing")).await;
    assert!(picker.contains(&format!("a group that you have left ({left})")) && picker.contains("until you save this page"));
    house.server.trouble("/api/groups", Trouble::Says(503, json!({})));
    assert!(browser.get(&path).await.contains("With whom cannot be said at the moment."));
    house.server.no_more_trouble();
    browser.post("/connect", &[("access", "read")]).await;
    assert!(browser.get(&path).await.contains(&expected));
    house.server.memo().memories[0]["permission"] = json!("private");
    assert!(!browser.get(&path).await.contains("Shared with"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_was_ticked_survives_whatever_fails(pool: PgPool) {
    let house = House::open(pool).await;
    house.connected("grace").await;
    let browser = house.connected("ada").await;
    let (path, grace, group, _) = shared(&house, &browser).await;
    let boxes = [format!("user:{grace}"), format!("group:{group}")];
    let fields = [(boxes[0].as_str(), "on"), (boxes[1].as_str(), "on"), ("permission", "shared")];
    let action = format!("{path}/sharing");
    let says = |status| Trouble::Says(status, json!({"code": "x"}));

    for (tools, others, status) in [(503, 503, 503), (429, 200, 429), (401, 401, 403)] {
        house.server.trouble("/api/tools", says(tools));
        if others != 200 {
            house.server.trouble("/api/groups", says(others));
            house.server.trouble("/api/users", says(others));
        }
        let page = browser.post(&action, &fields).await;

        assert_eq!(page.status.as_u16(), status);
        for name in &boxes {
            assert!(page.contains(&format!(r#"name="{name}" value="on" checked"#)), "{status} {name}: {}", page.body);
        }
        assert!(page.contains(r#"value="shared" checked"#) && page.contains(r#"id="errors""#));
        house.server.no_more_trouble();
    }

    let unknown = format!("group:{}", Uuid::new_v4());
    let page = browser.post(&action, &[(unknown.as_str(), "on"), ("permission", "shared")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains(r#"id="groups-error""#) && page.contains("only with groups that you own or are in"), "{}", page.body);
}
