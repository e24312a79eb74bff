//! The whole house: everything up, stopped, and up again with all its data.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::kit::{Up, folder};

#[expect(clippy::disallowed_methods, reason = "the one HTTP client of these tests")]
async fn status_of(url: &str) -> u16 {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client");
    client.get(url).send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_second_start_takes_under_three_seconds_and_finds_all_data() {
    let folder = folder();
    let data_dir = folder.path().join("data");

    let first = Up::start(&data_dir, &["--demo"]);
    let server = status_of(&format!("{}/health", first.says("server_url"))).await;
    let web = status_of(&format!("{}/health", first.says("web_url"))).await;
    let database = first.says("server_database_url");
    let (first_code, first_said) = first.stop(Signal::TERM);
    let second = Up::start(&data_dir, &["--demo"]);
    let took = second.took;
    let (second_code, second_said) = second.stop(Signal::INT);

    assert_eq!((server, web), (200, 200));
    assert_eq!(
        (first_code, second_code),
        (Some(0), Some(0)),
        "{first_said}\n{second_said}"
    );
    assert!(
        first_said.contains("administrator    admin, password "),
        "{first_said}"
    );
    assert!(
        !second_said.contains("administrator    admin, password "),
        "{second_said}"
    );
    assert_eq!(
        first_said.matches("(24 memories added)").count(),
        2,
        "{first_said}"
    );
    assert_eq!(
        second_said.matches("(0 memories added)").count(),
        2,
        "{second_said}"
    );
    assert!(took < Duration::from_secs(3), "the second start took {took:?}");
    assert!(
        PgConnection::connect(&database).await.is_err(),
        "PostgreSQL is still running"
    );
}

#[tokio::test]
async fn a_killed_picard_leaves_nothing_that_hinders_the_next() {
    let folder = folder();
    let data_dir = folder.path().join("data");
    let killed = Up::start(&data_dir, &[]);
    killed.stop(Signal::KILL);

    let next = Up::start(&data_dir, &[]);
    let server_url = next.says("server_url");
    let (code, said) = next.stop(Signal::TERM);

    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("that an earlier picard left behind"), "{said}");
    assert!(
        TcpStream::connect(server_url.trim_start_matches("http://")).is_err(),
        "the server still listens"
    );
}

#[tokio::test]
async fn secrets_are_closed_and_each_program_reaches_only_its_own_database() {
    let folder = folder();
    let data_dir = folder.path().join("data");
    let up = Up::start(&data_dir, &[]);
    let (server, web) = (up.says("server_database_url"), up.says("web_database_url"));
    let at_the_others = server.replace("/picard_server", "/picard_web");
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";

    let mut connection = PgConnection::connect(&server)
        .await
        .expect("the server's own database");
    let is_superuser: bool = sqlx::query_scalar(superuser)
        .fetch_one(&mut connection)
        .await
        .expect("an answer");
    let timeout: String = sqlx::query_scalar("SHOW statement_timeout")
        .fetch_one(&mut connection)
        .await
        .expect("an answer");
    let trespass = PgConnection::connect(&at_the_others).await;
    let own = PgConnection::connect(&web).await;
    up.stop(Signal::TERM);

    assert!(!is_superuser && timeout != "0", "{timeout}");
    assert!(trespass.is_err() && own.is_ok());
    for name in ["server.env", "web.env", "postgres.env"] {
        let mode = fs::metadata(data_dir.join(name))
            .expect(name)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(
        !data_dir.join("first-start.env").exists(),
        "the first password is still on the disk"
    );
}
