//! What every answer has in common.

use http::StatusCode;
use sqlx::PgPool;

use crate::kit::House;

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn every_page_carries_the_security_headers_log_04(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    // Forms lead to the application, and on to the server where people allow it something.
    let policy = format!(
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; \
         base-uri 'none'; frame-ancestors 'none'; form-action 'self' {}",
        house.server.url()
    );

    for path in ["/", "/login", "/memories", "/connections", "/nowhere", "/health", "/memories/x", "/search"] {
        let page = browser.get(path).await;
        assert_eq!(page.header("content-security-policy"), policy, "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        assert_eq!(page.header("x-request-id").len(), 36);
        assert!(!page.headers.contains_key("strict-transport-security"));
        let scripts = page.body.matches("<script").count() - page.body.matches(r#"<script src="/static/"#).count();
        assert!(scripts == 0 && !page.contains(" style=") && !page.contains("javascript:"), "{path}");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn under_https_the_cookie_is_a_host_cookie_and_hsts_is_on_log_03_web_11(pool: PgPool) {
    let house = House::open_with(pool, &["--web-public-url=https://web.example"]).await;
    let browser = house.stranger();

    let page = browser.get("/login").await;
    let registered = browser.post("/register", &[("username", "ada"), ("password", crate::kit::PASSWORD)]).await;
    let chosen = house.stranger().post("/language", &[("language", "de")]).await;

    for (page, name) in
        [(&page, "__Host-picard_web_form="), (&registered, "__Host-picard_web="), (&chosen, "__Host-picard_language=de")]
    {
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with(name), "{cookie}");
        for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    assert_eq!(house.web.public_url(), "https://web.example");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn on_plain_http_the_cookie_has_another_name_log_03_web_11(pool: PgPool) {
    let house = House::open(pool).await;

    let browser = house.stranger();
    let page = browser.get("/login").await;
    let registered = browser.post("/register", &[("username", "ada"), ("password", crate::kit::PASSWORD)]).await;

    for (page, name) in [(&page, "picard_web_form="), (&registered, "picard_web_session=")] {
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with(name) && !cookie.contains("Secure"), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"));
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_slash_at_the_end_makes_no_difference(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let stranger = house.stranger();

    for path in ["/memories", "/memories/new", "/connections", "/connect", "/groups", "/profile", "/search", "/health"] {
        let (bare, slashed) = (browser.get(path).await, browser.get(&format!("{path}/")).await);
        assert_eq!((bare.status, slashed.status), (StatusCode::OK, StatusCode::OK), "{path}");
    }
    for path in ["/login/", "/register/", "/"] {
        assert_eq!(stranger.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(browser.post("/logout/", &[]).await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn no_token_and_no_secret_is_in_any_page_web_05(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    browser.post("/memories/new", &[("text", "tea"), ("permission", "private")]).await;
    let id = house.server.memo().memories[0]["id"].as_str().expect("an id").to_owned();
    let mut paths: Vec<String> =
        ["/", "/memories", "/memories/new", "/connect", "/connections", "/search?q=tea", "/health", "/nowhere"]
            .map(str::to_owned)
            .to_vec();
    paths.extend([format!("/memories/{id}"), format!("/memories/{id}/edit")]);

    for path in paths {
        let page = browser.get(&path).await;
        let everything = format!("{:?}{}", page.headers, page.body);
        for token in &house.server.memo().issued {
            assert!(!everything.contains(token.as_str()), "{path}");
        }
        assert!(!everything.contains(crate::kit::CLIENT_SECRET) && !everything.contains("gAAAA"), "{path}");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_page_and_its_files_stay_small(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let tags: Vec<String> =
        (0..100).map(|number| format!("ein Schlagwort, das recht lang ist {number}").replace(',', "")).collect();
    for number in 0..100_u64 {
        // Words that are nowhere else, so that nothing is gained by repetition.
        let words: Vec<String> = (1..60).map(|word| format!("{:x}", (number + 1) * word * 0x9e37_79b9_7f4a)).collect();
        let text = format!("a thought of {}", words.join(" "));
        let fields = [("text", text.as_str()), ("tags", &tags.join(",")), ("permission", "private")];
        browser.post("/memories/new", &fields).await;
    }
    let files = |page: &crate::kit::Page| {
        let parts = page.body.split('"').filter(|part| part.starts_with("/static/"));
        parts.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };

    for path in ["/login", "/memories", "/search?q=thought", "/search?q=thought&n=100"] {
        let mut size = if path == "/login" { house.stranger().size(path).await } else { browser.size(path).await };
        for file in files(&browser.get(path).await) {
            size += browser.size(&file).await;
        }
        assert!(size < 100 * 1024, "{path} transfers {size} bytes");
    }
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn pages_that_another_site_asks_for_are_not_compressed(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    let gzip = ("accept-encoding", "gzip");
    let encoding = async |path: &str, site: Option<&str>| {
        let site = site.map(|site| ("sec-fetch-site", site));
        let headers: Vec<(&str, &str)> = [gzip].into_iter().chain(site).collect();
        browser.encoding(path, &headers).await
    };

    for site in ["same-origin", "none"] {
        assert_eq!(encoding("/memories", Some(site)).await, "gzip", "{site}");
    }
    for site in [Some("cross-site"), Some("same-site"), None] {
        assert_eq!(encoding("/memories", site).await, "", "the size would tell the token of the forms: {site:?}");
    }
    let home = browser.get("/memories").await;
    let (_, rest) = home.body.split_once(r#"rel="stylesheet" href=""#).expect("a stylesheet");
    assert_eq!(encoding(rest.split('"').next().expect("a path"), None).await, "gzip", "files hold no secrets");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_script_is_a_file_of_our_own(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.stranger();
    let home = browser.get("/").await;
    let (_, rest) = home.body.split_once(r#"<script src=""#).expect("a script");
    let script = browser.get(rest.split('"').next().expect("a path")).await;

    assert_eq!((script.status, script.header("content-type")), (StatusCode::OK, "text/javascript; charset=utf-8"));
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    assert!(!script.contains("innerHTML") && !script.contains("eval("), "WEB-01");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn the_stylesheet_is_cached_for_ever_under_an_address_of_its_content(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.stranger();
    let home = browser.get("/").await;
    let (_, rest) = home.body.split_once(r#"rel="stylesheet" href=""#).expect("a stylesheet");
    let path = rest.split('"').next().expect("a path");

    let style = browser.get(path).await;

    assert_eq!((style.status, style.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert_eq!(style.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(style.header("x-content-type-options"), "nosniff");
    assert_eq!(browser.get("/static/0000000000000000/style.css").await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn health_says_what_works(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.stranger();

    let well = browser.get("/health").await;
    let body: serde_json::Value = serde_json::from_str(&well.body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({
            "status": "ok", "checks": {"database": "ok", "server": "ok", "client": "ok"}
        })
    );

    let lonely = picard_web::start(crate::kit::config(&house.pool, "http://127.0.0.1:1", &[])).await.expect("it starts");
    let degraded = crate::kit::Browser::at(&lonely).get("/health").await;
    assert_eq!(degraded.status, StatusCode::OK);
    assert!(degraded.contains(r#""status":"degraded""#) && degraded.contains(r#""server":"unavailable""#));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn it_says_that_it_will_stop_and_goes_on_answering_meanwhile_ops_06(pool: PgPool) {
    let house = House::open_with(pool, &["--drain-seconds=2"]).await;
    let browser = house.stranger();
    let before = browser.get("/health/readiness").await;
    let (alive, at_first) = (browser.get("/health/liveness").await, browser.get("/login").await);

    let stopping = tokio::spawn(house.web.stop());
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let (after, page) = (browser.get("/health/readiness").await, browser.get("/login").await);

    assert_eq!((before.status, alive.status, at_first.status), (StatusCode::OK, StatusCode::OK, StatusCode::OK));
    assert_eq!(after.status, StatusCode::SERVICE_UNAVAILABLE, "OPS-06: it is not ready any more");
    assert_eq!((page.status, page.header("connection")), (StatusCode::OK, "close"), "OPS-06: and serves who still comes");
    stopping.await.expect("it stops").expect("in order");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn a_page_that_does_not_exist_is_a_page(pool: PgPool) {
    let house = House::open(pool).await;

    let stranger = house.stranger().get("/nowhere").await;
    let member = house.member("ada").await.get("/memories/a/b/c").await;

    assert_eq!((stranger.status, member.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert!(stranger.contains("This page does not exist") && stranger.contains("Sign in"));
    assert!(member.contains("This page does not exist") && member.contains("Sign out"));
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn without_the_database_there_is_a_page_that_says_so(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.member("ada").await;
    // Whatever the reason, the sessions cannot be read any more.
    house.execute("ALTER TABLE sessions RENAME TO elsewhere").await;

    let page = browser.get("/memories").await;

    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.contains("Back in a moment") && page.header("retry-after") == "5");
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn an_application_that_is_stopped_finishes_what_it_began(pool: PgPool) {
    let house = House::open(pool).await;
    let browser = house.connected("ada").await;
    house.let_access_tokens_expire().await;

    // The refresh at the server takes its time.
    let load = tokio::spawn(async move { browser.get("/memories").await });
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    house.web.stop().await.expect("it stops");

    assert_eq!(load.await.expect("a page").status, StatusCode::OK);
}
