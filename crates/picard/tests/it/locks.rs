//! One data folder is used by one picard.

use std::fs;

use picard::files::{Lock, write_private};

use crate::kit::{folder, picard, stderr};

#[test]
fn a_second_start_on_the_same_folder_is_told_who_uses_it() {
    let folder = folder();
    let data_dir = folder.path().to_string_lossy().into_owned();
    let _held = Lock::take(folder.path()).expect("nobody else holds it");

    let output = picard(&["up", "--data-dir", &data_dir, "--server-addr", "127.0.0.1:0", "--web-addr", "127.0.0.1:0"])
        .output()
        .expect("picard runs");

    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("another picard (process {}) is already using", std::process::id())), "{said}");
}

#[test]
fn a_lock_ends_with_its_holder() {
    let folder = folder();

    drop(Lock::take(folder.path()).expect("nobody holds it"));

    Lock::take(folder.path()).expect("nobody holds it any more");
}

#[test]
fn a_file_of_secrets_is_closed_and_leaves_nothing_beside_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    let path = folder.path().join("server.env");

    write_private(&path, "A=1\n").expect("it is written");
    write_private(&path, "A=2\n").expect("it is replaced");

    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_to_string(&path).expect("it is read"), "A=2\n");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
}
