//! `picard db run`: a database for one command, and nothing left of it.

use std::fs;

use crate::kit::{folder, picard, stderr};

#[test]
fn the_command_gets_databases_and_its_exit_code_comes_back() {
    let temporary = folder();
    let script = r#"echo "$DATABASE_URL|$SERVER_DATABASE_URL|$WEB_DATABASE_URL|$EMBEDDING_MODEL_DIR"; exit 7"#;

    let output = picard(&["db", "run", "--", "sh", "-c", script]).env("TMPDIR", temporary.path()).output().expect("picard runs");

    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let parts: Vec<&str> = said.split('|').collect();
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(parts[0].starts_with("postgres://postgres:") && parts[0].ends_with("/postgres"), "{said}");
    assert!(parts[1].ends_with("/prepare_server") && parts[2].ends_with("/prepare_web"), "{said}");
    assert!(fs::exists(format!("{}/model.safetensors", parts[3])).expect("a folder"), "{said}");
    assert_eq!(fs::read_dir(temporary.path()).expect("the folder").count(), 0);
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let temporary = folder();

    let output = picard(&["db", "run", "no-such-command"]).env("TMPDIR", temporary.path()).output().expect("picard runs");

    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot run no-such-command"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(temporary.path()).expect("the folder").count(), 0);
}
