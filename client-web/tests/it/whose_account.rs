//! Whose an account of the Picard server is: known by its id, not by its name (WEB-10).

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use crate::authorization_code::{begin, come_back};
use crate::kit::{Browser, House, Page, Trouble};

/// Connects with an account at the server, where the person signs in.
async fn sign_in_there(house: &House, browser: &Browser, name: &str) -> Page {
    let asked = begin(browser, "write").await;
    let code = house.server.allow(name, &asked);
    come_back(browser, &[("code", &code), ("state", &asked["state"]), ("iss", house.server.url())]).await
}

/// How often the server was asked for tokens.
fn asked(house: &House) -> (usize, usize) {
    let memo = house.server.memo();
    (memo.mints.len(), memo.redeemed)
}

const REVOCATIONS: &str = "SELECT count(*) FROM revocations";
const CONNECTIONS: &str = "SELECT count(*) FROM connections";

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_name_that_is_free_here_opens_nobodys_account_there_web_10(pool: PgPool) {
    let house = House::open(pool).await;
    let geordi = house.member("geordi").await;
    assert_eq!(sign_in_there(&house, &geordi, "laforge").await.location(), "/memories?done=connected");
    geordi.write("the warp core").await;
    let eve = house.member("laforge").await;

    let refused = eve.post("/connect", &[]).await;

    assert_eq!(refused.status, StatusCode::CONFLICT, "WEB-10");
    assert!(refused.contains("belongs to somebody already") && refused.contains("sign in at the Picard server instead"));
    assert_eq!(eve.get("/memories").await.location(), "/connect");
    assert_eq!((house.number(CONNECTIONS).await, house.number(REVOCATIONS).await), (1, 1), "what was handed out ends");

    geordi.post("/connections/disconnect", &[]).await;
    assert_eq!(eve.post("/connect", &[]).await.status, StatusCode::CONFLICT, "WEB-10: after disconnecting, too");
    geordi.get("/connect").await;
    assert_eq!(sign_in_there(&house, &geordi, "laforge").await.location(), "/memories?done=connected");

    assert_eq!(sign_in_there(&house, &eve, "laforge").await.location(), "/memories?done=connected", "whoever can sign in may");
    assert!(eve.get("/memories").await.contains("the warp core"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_account_that_was_there_before_is_not_taken_by_its_name_web_10(pool: PgPool) {
    let house = House::open(pool).await;
    // Their person let the application in, but has never arrived here.
    house.server.memo().people.extend([("worf".to_owned(), uuid::Uuid::new_v4()), ("data".to_owned(), uuid::Uuid::new_v4())]);
    let (worf, data) = (house.member("worf").await, house.member("data").await);

    assert_eq!(worf.post("/connect", &[]).await.status, StatusCode::CONFLICT, "WEB-10");
    // What this application began to make is the person's, even if the answer was lost …
    house.execute("UPDATE people SET has_begun_account = true").await;
    assert_eq!(worf.post("/connect", &[]).await.location(), "/memories?done=connected");
    // … but for what has a password, which such accounts have not.
    house.server.memo().profile = json!({"display_name": null, "bio": null, "is_listed": false, "has_password": true});
    assert_eq!(data.post("/connect", &[]).await.status, StatusCode::CONFLICT, "WEB-10");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_memories_of_a_deleted_account_do_not_go_to_the_next_of_that_name_web_10(pool: PgPool) {
    let house = House::open(pool).await;
    let ada = house.connected("ada").await;
    ada.write("the engine").await;
    let gone = ada.post("/profile/delete", &[("password", crate::kit::PASSWORD)]).await;
    assert_eq!(gone.location(), "/?done=account-deleted");

    let next = house.member("ada").await;
    let refused = next.post("/connect", &[]).await;

    assert_eq!(refused.status, StatusCode::CONFLICT, "WEB-10");
    assert_eq!(house.number(CONNECTIONS).await, 0);
    assert_eq!(house.number("SELECT count(*) FROM server_accounts WHERE person_id IS NULL").await, 1, "it is nobody's");
}

/// People as they were stored before accounts were known by their ids: two that are connected with one account, the one by
/// signing in to it at the server and the other by its name, and a third with one of their own.
const BEFORE: &str = "
    INSERT INTO people (id, username, username_key, password_hash)
    SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, name, name, '-'
    FROM (VALUES (1, 'laforge'), (2, 'geordi'), (3, 'ada')) AS them (n, name);
    INSERT INTO connections (person_id, server_user_id, scope, access_token, refresh_token, access_expires_at, flow, connected_at)
    SELECT id, CASE username WHEN 'ada' THEN id ELSE '00000000-0000-4000-8000-00000000000e' END, 'memories:read', 'a', 'r', now(),
           CASE username WHEN 'geordi' THEN 'authorization_code' ELSE 'user_token' END,
           CASE username WHEN 'laforge' THEN now() - interval '1 day' ELSE now() END
    FROM people";

#[sqlx::test(migrations = false)]
async fn people_of_before_keep_their_own_accounts_and_lose_those_of_others_web_10(pool: PgPool) {
    for migration in picard_web::MIGRATOR.iter() {
        if migration.version == 5 {
            sqlx::raw_sql(BEFORE).execute(&pool).await.expect("people of before");
        }
        sqlx::raw_sql(migration.sql.clone()).execute(&pool).await.expect("a migration");
    }

    let left = "SELECT username FROM connections JOIN people ON person_id = people.id ORDER BY 1";
    let left: Vec<String> = sqlx::query_scalar(left).fetch_all(&pool).await.expect("names");
    let owners = "SELECT username, is_proved FROM server_accounts JOIN people ON person_id = people.id ORDER BY 1";
    let owners: Vec<(String, bool)> = sqlx::query_as(owners).fetch_all(&pool).await.expect("owners");
    let given_up: i64 = sqlx::query_scalar(REVOCATIONS).fetch_one(&pool).await.expect("a number");

    assert_eq!(left, ["ada", "geordi"], "WEB-10");
    assert_eq!(owners, [("ada".to_owned(), false), ("geordi".to_owned(), true)]);
    assert_eq!(given_up, 1, "what was handed out for somebody else's account ends");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn nobody_is_moved_to_another_account_unasked(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    sign_in_there(&house, &browser, "captain").await;

    let page = browser.get("/connect").await;
    assert!(page.contains(r#"action="/connect/authorize""#) && !page.contains(r#"action="/connect""#), "the flow in use alone");
    let direct = browser.post("/connect", &[]).await;
    assert!(direct.status == StatusCode::CONFLICT && direct.contains("disconnect first"), "{}", direct.body);
    assert!(house.server.memo().mints.is_empty(), "no account was made");
    let other = sign_in_there(&house, &browser, "somebody-else").await;
    assert!(other.status == StatusCode::CONFLICT && other.contains("connected with another account"), "{}", other.body);
    assert_eq!(house.number(REVOCATIONS).await, 1, "the tokens of the other one end");
    let still = "SELECT count(*) FROM connections c JOIN server_accounts a USING (server_user_id) WHERE a.is_proved";
    assert_eq!((house.number(still).await, house.number("SELECT count(*) FROM server_accounts").await), (1, 1));

    browser.post("/connections/disconnect", &[]).await;
    let page = browser.get("/connect").await;
    let (code, direct) = (page.body.find(r#"action="/connect/authorize""#), page.body.find(r#"action="/connect""#));
    assert!(code.is_some() && code < direct, "what was used before comes first");
    assert_eq!(sign_in_there(&house, &browser, "somebody-else").await.location(), "/memories?done=connected");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_code_whose_account_cannot_be_found_out_leaves_no_live_tokens(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    house.server.trouble("/api/users/me", Trouble::Says(500, json!({})));

    let page = sign_in_there(&house, &browser, "captain").await;

    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert_eq!((house.number(CONNECTIONS).await, house.number(REVOCATIONS).await), (0, 1));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_connection_that_has_ended_is_remembered_and_asks_no_more_of_the_server(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;
    house.server.memo().refresh_tokens.clear();
    house.server.memo().people.clear();

    let pages = join_all((0..10).map(|_| browser.get("/memories"))).await;
    let ended = |page: &Page| page.status == StatusCode::FORBIDDEN && page.contains("The connection has ended");
    assert!(pages.iter().all(ended), "who waits is told the same");
    let asked = house.server.memo().refreshes;
    assert!(ended(&browser.get("/memories").await) && ended(&browser.get("/search?q=x").await));
    assert_eq!(asked, 1);
    assert_eq!(house.server.memo().refreshes, 1);
    let connection = browser.get("/connections").await;
    assert_eq!(connection.status, StatusCode::OK);
    assert!(connection.contains("The connection has ended") && connection.contains("Connect again"), "{}", connection.body);

    assert_eq!(browser.post("/connect", &[]).await.location(), "/memories?done=connected", "a new account, as the page said");
    assert_eq!(browser.get("/memories").await.status, StatusCode::OK);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn one_person_cannot_use_up_what_the_server_grants_all(pool: PgPool) {
    let house = House::open(pool).await;
    let (browser, other) = (house.member("ada").await, house.member("grace").await);
    for _ in 0..5 {
        browser.post("/connect", &[]).await;
        let asked = begin(&browser, "write").await;
        assert_eq!(asked["response_type"], "code");
    }
    let calls = asked(&house);

    let direct = browser.post("/connect", &[]).await;
    let by_code = browser.post("/connect/authorize", &[]).await;
    let back = come_back(&browser, &[("code", "bogus"), ("state", "bogus"), ("iss", house.server.url())]).await;

    for page in [direct, by_code, back] {
        assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "{}", page.body);
        assert!(page.contains("tried to connect many times") && !page.header("retry-after").is_empty());
    }
    assert_eq!(asked(&house), calls);
    assert_eq!(other.post("/connect", &[]).await.location(), "/memories?done=connected", "others are not held up");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_server_that_hangs_is_given_up_with_a_readable_page_web_12(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    house.server.trouble("/api/user-tokens/user-token", Trouble::Hangs);
    let started = std::time::Instant::now();

    let page = browser.post("/connect", &[]).await;

    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "WEB-12");
    assert!(page.contains("cannot be reached") && page.contains("Sign out") && !page.contains(house.server.url()));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_account_there_goes_too_whatever_was_allowed_and_however_it_was_connected(pool: PgPool) {
    let house = House::open(pool).await;
    let reader = house.member("ada").await;
    reader.post("/connect", &[("access", "read")]).await;
    let everywhere = [("password", crate::kit::PASSWORD), ("everywhere", "yes")];

    assert!(reader.get("/profile").await.contains(r#"name="everywhere""#));
    assert_eq!(reader.post("/profile/delete", &everywhere).await.location(), "/?done=account-deleted");
    assert_eq!(house.server.memo().deletions, 1, "reading was all that was allowed, and the person deletes it all the same");

    let captain = house.member("captain").await;
    sign_in_there(&house, &captain, "jean-luc").await;
    let profile = json!({"display_name": null, "bio": null, "is_listed": false, "password": "engage"});
    house.server.memo().profile = profile;
    let wrong = captain.post("/profile/delete", &everywhere).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.contains("does not accept this password") && wrong.contains(r#"id="server_password-error""#));
    let fields = [everywhere[0], everywhere[1], ("server_password", "engage")];
    assert_eq!(captain.post("/profile/delete", &fields).await.location(), "/?done=account-deleted");
    assert_eq!(house.server.memo().deletions, 2);
}
