//! A backup is restored: what was written is readable again, and what has ended since stays ended.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use picard_crypto::{ExposeSecret as _, FernetKey};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::kit::{Person, TestServer, ids, number, word};

/// Where the programs of the database's own version are; `None` when its server is another machine.
async fn pg_bin(pool: &PgPool) -> Option<String> {
    let folder = sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetch_one(pool).await;
    let found = folder.ok().filter(|folder: &String| Path::new(folder).join("pg_dump").is_file());
    if found.is_none() {
        eprintln!("left out: the programs of the database's server are not on this machine");
    }
    found
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn beside(dump: &Path) -> PathBuf {
    dump.with_extension("dump.json")
}

/// Somebody's new tokens at another address, by the application that made their account.
async fn connect_at(server: &TestServer, url: &str, username: &str) -> Person {
    let body = json!({
        "client_id": server.client_id, "client_secret": server.client_secret, "username": username,
        "scope": "memories:read memories:write",
    });
    let response = server.http.post(format!("{url}/api/user-tokens/user-token")).json(&body).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    Person::from_answer(&response.json().await.expect("JSON"))
}

/// A server on what was restored, behind the same public URL.
async fn start_again(server: &TestServer) -> TestServer {
    let arguments = ["--encryption-keys", &server.key(), "--public-url", &server.url];
    TestServer::spawn_at(server.database_url.clone(), &arguments).await
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_restored_database_is_readable_and_lets_in_nobody_from_before(pool: PgPool) {
    let Some(bin) = pg_bin(&pool).await else { return };
    let mut server = TestServer::spawn(&pool).await;
    let (ada, grace) = (server.sign_in("ada").await, server.sign_in("grace").await);
    let kept = server.remember(&ada, "I like my tea.").await;
    let deleted = server.remember(&ada, "The cellar is damp.").await;
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("monday.dump");

    let (is_done, said) = server.command(&["backup", "--pg-bin", &bin, &text(&dump)]).await;
    assert!(is_done, "FLT-27 {said}");

    let rotated: Value = server.refresh(&ada.refresh_token).await.json().await.expect("JSON");
    let rotated = (word(&rotated["access_token"]), word(&rotated["refresh_token"]));
    server.call(&ada, "delete_memory", json!({ "memory_id": deleted })).await;
    server.remember(&grace, "written after the backup").await;
    server.halt().await;
    let (is_done, said) = server.command(&["restore", "--replace", "--pg-bin", &bin, &text(&dump)]).await;

    assert!(is_done && said.contains("connect anew"), "FLT-27 {said}");
    let again = start_again(&server).await;
    for token in [&ada.refresh_token, &rotated.1, &grace.refresh_token] {
        assert_eq!(server.refresh_at(&again.url, token).await.status(), 400, "FLT-27: no token comes back to life");
    }
    for token in [&ada.token, &rotated.0, &grace.token] {
        assert!(!server.is_welcome_at(&again.url, token).await, "FLT-27: no token comes back to life");
    }
    let ada = connect_at(&server, &again.url, "ada").await;
    for (id, words) in [(&kept, "I like my tea."), (&deleted, "The cellar is damp.")] {
        assert_eq!(again.call(&ada, "get_memory", json!({ "memory_id": id })).await["text"], words, "FLT-27");
    }
    for mode in ["keyword", "semantic"] {
        let found = again.call(&ada, "query_memory", json!({ "query": "cellar", "mode": mode })).await;
        assert_eq!(ids(&found)[0], deleted, "FLT-27 {mode}");
    }
    assert_eq!(number(&pool, "SELECT count(*) FROM memories").await, 2, "FLT-27: as it was at the moment of the backup");
}

/// A role that owns databases and nothing else, as compose makes it, with two that have pgvector.
async fn owner_with_databases(pool: &PgPool) -> (String, [String; 2]) {
    let role = format!("owner_{}", uuid::Uuid::new_v4().simple());
    let make = format!("CREATE ROLE {role} LOGIN PASSWORD 'of the role' NOSUPERUSER NOCREATEDB");
    sqlx::query(AssertSqlSafe(make)).execute(pool).await.expect("a role");
    let mut urls = Vec::new();
    for name in [format!("{role}_used"), format!("{role}_empty")] {
        let make = format!("CREATE DATABASE {name} OWNER {role}");
        sqlx::query(AssertSqlSafe(make)).execute(pool).await.expect("a database");
        let mut url = url::Url::parse(&crate::kit::database_url(pool)).expect("a URL");
        url.set_path(&name);
        let mut superuser = PgConnection::connect(url.as_str()).await.expect("a connection");
        sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS vector").execute(&mut superuser).await.expect("pgvector");
        url.set_username(&role).expect("a name");
        url.set_password(Some("of the role")).expect("a password");
        urls.push(url.to_string());
    }
    (role, urls.try_into().expect("two"))
}

async fn drop_owner(pool: &PgPool, role: &str) {
    for statement in [
        format!("DROP DATABASE {role}_used WITH (FORCE)"),
        format!("DROP DATABASE {role}_empty WITH (FORCE)"),
        format!("DROP ROLE {role}"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await.expect("it goes");
    }
}

/// All texts of a person, as an export has them.
async fn texts(server: &TestServer, person: &Person) -> Vec<String> {
    let response = server.get("/api/memories/export").bearer_auth(&person.token).send().await.expect("an answer");
    let lines = response.text().await.expect("an export");
    let of_line = |line: &str| word(&serde_json::from_str::<Value>(line).expect("a memory")["text"]);
    let mut texts: Vec<String> = lines.lines().map(of_line).collect();
    texts.sort();
    texts
}

/// A thousand memories of somebody, and somebody else who writes while the backup is made.
async fn backup_under_load(server: &TestServer, ada: &Person, grace: &Person, command: &[&str]) -> Vec<String> {
    let mut expected = Vec::new();
    for batch in 0..2 {
        let written: Vec<String> = (0..500).map(|number| format!("{batch} {number} {}", uuid::Uuid::new_v4())).collect();
        let memories: Vec<Value> = written.iter().map(|text| json!({ "text": text })).collect();
        server.call(ada, "submit_memories", json!({ "memories": memories })).await;
        expected.extend(written);
    }
    expected.sort();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let writing = async {
        let mut number = 0;
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            server.remember(grace, &format!("meanwhile {number}")).await;
            number += 1;
        }
        number
    };
    let saving = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let (is_done, said) = server.command(command).await;
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(is_done, "FLT-27 {said}");
    };
    let (meanwhile, ()) = tokio::join!(writing, saving);
    assert!(meanwhile > 5, "FLT-27: there was load: {meanwhile}");
    expected
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_role_without_rights_saves_under_load_and_restores_flt_27(pool: PgPool) {
    let Some(bin) = pg_bin(&pool).await else { return };
    let (role, [used, empty]) = owner_with_databases(&pool).await;
    let mut server = TestServer::spawn_at(used.clone(), &[]).await;
    let (ada, grace) = (server.sign_in("ada").await, server.sign_in("grace").await);
    let folder = tempfile::tempdir().expect("a folder");
    let dump = text(&folder.path().join("monday.dump"));
    let expected = backup_under_load(&server, &ada, &grace, &["backup", "--pg-bin", &bin, &dump]).await;
    server.halt().await;

    for (url, options) in [(&used, &["--replace"][..]), (&empty, &[])] {
        let command = [&["--database-url", url, "restore", "--pg-bin", &bin], options, &[&dump]].concat();
        let (is_done, said) = server.command(&command).await;
        assert!(is_done, "FLT-27: {options:?}: {said}");

        let arguments = ["--encryption-keys", &server.key(), "--public-url", &server.url];
        let mut again = TestServer::spawn_at(url.clone(), &arguments).await;
        let ada = connect_at(&server, &again.url, "ada").await;
        assert_eq!(texts(&again, &ada).await, expected, "FLT-27: a thousand memories are readable");
        let grace = connect_at(&server, &again.url, "grace").await;
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(beside(Path::new(&dump))).expect("a manifest")).expect("JSON");
        let whole = expected.len() + texts(&again, &grace).await.len();
        assert_eq!(manifest["rows"]["memories"], json!(whole), "FLT-27: as many as at the moment of the backup");
        again.halt().await;
    }
    drop_owner(&pool, &role).await;
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_backup_is_private_complete_and_never_overwritten(pool: PgPool) {
    let Some(bin) = pg_bin(&pool).await else { return };
    let server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    server.remember(&ada, "I like my tea.").await;
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("monday.dump");
    let backup = ["backup", "--pg-bin", &bin, &text(&dump)];

    let (is_done, said) = server.command(&backup).await;

    assert!(is_done && !said.contains(&server.key()), "FLT-27 {said}");
    for file in [&dump, &beside(&dump)] {
        let mode = std::fs::metadata(file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "FLT-27: only its owner reads it");
    }
    let manifest: Value = serde_json::from_slice(&std::fs::read(beside(&dump)).expect("a manifest")).expect("JSON");
    let fingerprint = FernetKey::parse(&server.key()).expect("a key").fingerprint();
    assert_eq!(manifest["key_fingerprints"], json!([fingerprint]), "ENC-06");
    assert_eq!((&manifest["rows"]["memories"], &manifest["rows"]["grants"]), (&json!(1), &Value::Null), "FLT-27");
    let before = std::fs::read(&dump).expect("the dump");
    let (is_done, said) = server.command(&backup).await;
    assert!(!is_done && said.contains("is not overwritten"), "{said}");
    assert_eq!(std::fs::read(&dump).expect("the dump"), before);

    let (is_done, said) = server.command(&["backup", "--pg-bin", &bin, &text(folder.path())]).await;
    assert!(is_done, "a folder gets a file of its own: {said}");
    let (is_done, said) = server.command(&["backup", "--pg-bin", "/nowhere", &text(&folder.path().join("other"))]).await;
    assert!(!is_done && said.contains("--pg-bin") && !folder.path().join("other").exists(), "{said}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn a_restore_that_cannot_work_changes_nothing(pool: PgPool) {
    let Some(bin) = pg_bin(&pool).await else { return };
    let mut server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    server.remember(&ada, "I like my tea.").await;
    let folder = tempfile::tempdir().expect("a folder");
    let (dump, damaged) = (folder.path().join("good.dump"), folder.path().join("damaged.dump"));
    let (is_done, said) = server.command(&["backup", "--pg-bin", &bin, &text(&dump)]).await;
    assert!(is_done, "{said}");
    let mut bytes = std::fs::read(&dump).expect("the dump");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).expect("a damaged copy");
    std::fs::copy(beside(&dump), beside(&damaged)).expect("its manifest");
    let other = FernetKey::generate().encode().expose_secret().to_owned();
    let (good, bad) = (text(&dump), text(&damaged));

    let (is_done, said) = server.command(&["restore", "--replace", "--pg-bin", &bin, &good]).await;
    assert!(!is_done && said.contains("stop them first"), "FLT-27: a server runs: {said}");
    server.halt().await;
    for (arguments, reason) in [
        (vec!["restore", "--pg-bin", &bin, &good], "--replace"),
        (vec!["restore", "--replace", "--pg-bin", &bin, &bad], "is damaged"),
        (vec!["--encryption-keys", &other, "restore", "--replace", "--pg-bin", &bin, &good], "ENCRYPTION_KEYS"),
    ] {
        let (is_done, said) = server.command(&arguments).await;
        assert!(!is_done && said.contains(reason), "FLT-27 {reason}: {said}");
    }

    assert_eq!(number(&pool, "SELECT count(*) FROM grants WHERE revoked_at IS NULL").await, 1, "nothing has changed");
    let empty = format!("restored_{}", uuid::Uuid::new_v4().simple());
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {empty}"))).execute(&pool).await.expect("an empty database");
    let mut url = url::Url::parse(&server.database_url).expect("a URL");
    url.set_path(&empty);
    let (is_done, said) = server.command(&["--database-url", url.as_str(), "restore", "--pg-bin", &bin, &good]).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {empty} WITH (FORCE)"))).execute(&pool).await.expect("it goes");
    assert!(is_done, "FLT-27: an empty database is filled: {said}");
}

#[sqlx::test(migrator = "picard_storage::MIGRATOR")]
async fn one_command_ends_every_connection_after_a_restore_by_other_means(pool: PgPool) {
    let mut server = TestServer::spawn(&pool).await;
    let ada = server.sign_in("ada").await;
    let id = server.remember(&ada, "I like my tea.").await;
    server.halt().await;

    let (is_done, said) = server.command(&["end-connections"]).await;

    assert!(is_done, "FLT-27 {said}");
    let again = start_again(&server).await;
    assert_eq!(server.refresh_at(&again.url, &ada.refresh_token).await.status(), 400, "FLT-27");
    assert!(!server.is_welcome_at(&again.url, &ada.token).await, "FLT-27");
    let ada = connect_at(&server, &again.url, "ada").await;
    assert_eq!(again.call(&ada, "get_memory", json!({ "memory_id": id })).await["text"], "I like my tea.", "FLT-27");
}
