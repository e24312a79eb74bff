//! A database that an earlier version has filled is brought up to date and loses nothing.

use std::collections::BTreeMap;

use picard_web::MIGRATOR;
use serde_json::Value;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgPool};

use crate::authorization_code::begin;
use crate::kit::{Browser, House, PASSWORD};

const TABLES: &str = "SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> '_sqlx_migrations'";

/// Every row of every table.
async fn rows(pool: &PgPool) -> BTreeMap<String, Vec<Value>> {
    let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(pool).await.expect("the tables");
    let mut rows = BTreeMap::new();
    for table in tables {
        let statement = format!("SELECT to_jsonb(t) FROM {table} t");
        rows.insert(table, sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(pool).await.expect("the rows"));
    }
    rows
}

/// The schema of an earlier version, with what it would have stored of these rows.
async fn go_back(pool: &PgPool, version: i64, rows: &BTreeMap<String, Vec<Value>>) {
    sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(pool).await.expect("an empty database");
    let until = MIGRATOR.iter().filter(|migration| migration.version <= version).cloned().collect();
    Migrator::with_migrations(until).run(pool).await.expect("the schema of an earlier version");
    let mut tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(pool).await.expect("the tables");
    // What others refer to comes first.
    tables.sort_by_key(|table| table != "people");
    for table in tables {
        let statement = format!("INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1)");
        let values = Value::Array(rows[&table].clone());
        sqlx::query(AssertSqlSafe(statement)).bind(values).execute(pool).await.expect("rows of an earlier version");
    }
}

/// Whether a row is the other one with columns besides.
fn continues(after: &Value, before: &Value) -> bool {
    before.as_object().is_some_and(|before| before.iter().all(|(column, value)| after.get(column) == Some(value)))
}

#[sqlx::test(migrator = "picard_web::MIGRATOR")]
async fn what_earlier_versions_have_written_is_there_and_usable_after_an_upgrade_ops_05(pool: PgPool) {
    let House { web, server, .. } = House::open(pool.clone()).await;
    let browser = Browser::at(&web);
    browser.get("/register").await;
    browser.post("/register", &[("username", "ada"), ("email", "ada@example.org"), ("password", PASSWORD)]).await;
    browser.get("/connect").await;
    browser.post("/connect", &[]).await;
    browser.get("/memories").await;
    browser.post("/memories/new", &[("text", "tea, Earl Grey"), ("permission", "private")]).await;
    browser.get("/connect").await;
    begin(&browser, "write").await;
    Browser::at(&web).post("/login", &[("username", "ada"), ("password", "wrong password")]).await;
    web.stop().await.expect("it stops");
    let person = "INSERT INTO revocations (id, person_id, refresh_token) SELECT gen_random_uuid(), id, 'sealed' FROM people";
    sqlx::query(person).execute(&pool).await.expect("a token that is to be revoked");
    let written = rows(&pool).await;
    let head = MIGRATOR.iter().map(|migration| migration.version).max().expect("migrations");

    for version in 1..head {
        // Types that are made anew have other numbers, which connections remember.
        let pool = PgPool::connect_with((*pool.connect_options()).clone()).await.expect("new connections");
        go_back(&pool, version, &written).await;
        let before = rows(&pool).await;

        MIGRATOR.run(&pool).await.expect("an upgrade");

        let after = rows(&pool).await;
        for (table, rows) in &before {
            assert!(!rows.is_empty(), "{table} is empty: write something into it above");
            let later = after.get(table).unwrap_or_else(|| panic!("OPS-05: {version}: {table} is gone"));
            assert_eq!(later.len(), rows.len(), "OPS-05: {version}: rows of {table}");
            for row in rows {
                assert!(later.iter().any(|later| continues(later, row)), "OPS-05: {version}: {table} has lost {row}");
            }
        }
        let web = picard_web::start(crate::kit::config(&pool, server.url(), &[])).await.expect("it starts");
        let page = browser.also_at(&web).get("/memories").await;
        assert!(page.contains("tea, Earl Grey"), "OPS-05: {version}: the session has ended: {}", page.body);
        let ada = Browser::at(&web);
        ada.get("/login").await;
        let signed_in = ada.post("/login", &[("username", "ada"), ("password", PASSWORD)]).await;
        assert_eq!(signed_in.status, http::StatusCode::SEE_OTHER, "OPS-05: {version}: {}", signed_in.body);
        let page = ada.get("/memories").await;
        assert!(page.contains("tea, Earl Grey"), "OPS-05: {version}: the connection is not of use any more: {}", page.body);
        web.stop().await.expect("it stops");
        pool.close().await;
    }
}
