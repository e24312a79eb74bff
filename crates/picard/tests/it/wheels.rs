//! Fetched files: checked, unpacked at once or not at all.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use picard::fetch::wheel::{sha256, unpack, unpacked};
use picard::fetch::{Cache, Wheel};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::kit::folder;

/// Only what is below `kept/` is used, without that folder.
fn kept(name: &str) -> Option<&str> {
    name.strip_prefix("kept/")
}

/// A made-up file in the cache, and the wheel that describes it.
fn made_up(cache: &Path) -> Wheel {
    let path = cache.join("made-up.whl");
    let mut archive = ZipWriter::new(File::create(&path).expect("a file"));
    for (name, mode, content) in [("kept/bin/tool", 0o755, "run"), ("kept/note", 0o644, "read"), ("other", 0o644, "no")] {
        archive.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).expect("an entry");
        archive.write_all(content.as_bytes()).expect("its content");
    }
    archive.finish().expect("the archive");
    Wheel {
        label: "a made-up file",
        package: "no-such-package",
        version: "0",
        platform: None,
        file: "made-up.whl".to_owned(),
        sha256: sha256(&path).expect("its sum"),
        size: None,
        folder: "made-up",
        wanted: kept,
        proof: "bin/tool",
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_that_is_in_the_cache_is_used_without_fetching() {
    let folder = folder();
    let wheel = made_up(folder.path());

    let target = unpacked(&wheel, &Cache::at(folder.path())).await.expect("it is unpacked");

    assert_eq!(names(&target), ["bin", "note"]);
    let mode = fs::metadata(target.join("bin/tool")).expect("the tool").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(fs::read_to_string(target.join("note")).expect("the note"), "read");
}

#[tokio::test]
async fn what_is_unpacked_needs_the_file_no_more() {
    let folder = folder();
    let wheel = made_up(folder.path());
    let cache = Cache::at(folder.path());
    unpacked(&wheel, &cache).await.expect("it is unpacked");
    fs::remove_file(wheel.path(&cache)).expect("the file is removed");

    let again = unpacked(&wheel, &cache).await;

    assert_eq!(again.expect("it is there"), wheel.target(&cache));
}

#[test]
fn a_file_that_breaks_off_leaves_nothing_half_made() {
    let folder = folder();
    let wheel = made_up(folder.path());
    let path = folder.path().join("made-up.whl");
    let content = fs::read(&path).expect("the file");
    fs::write(&path, &content[..content.len() / 2]).expect("half of it");

    let result = unpack(&wheel, &path, &folder.path().join("target"));

    assert!(result.is_err());
    assert_eq!(names(folder.path()), ["made-up.whl"]);
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept_away() {
    let folder = folder();
    let wheel = made_up(folder.path());
    fs::create_dir(folder.path().join(".made-up-0123.abcdef")).expect("a left-over");

    let target = unpacked(&wheel, &Cache::at(folder.path())).await.expect("it is unpacked");

    let target = target.file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(
        names(folder.path()),
        [".lock", "made-up.whl", &target]
            .map(str::to_owned)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}
