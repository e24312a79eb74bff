//! The house keeps its shape: which crate may use which, who may speak SQL, how long a file may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every crate and the crates of this workspace that it may use.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("picard-domain", &[]),
    ("picard-crypto", &[]),
    ("picard-index", &[]),
    ("picard-storage", &["picard-domain", "picard-crypto", "picard-index"]),
    ("picard-auth", &["picard-domain", "picard-crypto"]),
    ("picard-embedding", &["picard-domain"]),
    ("picard-llm", &["picard-domain"]),
    ("picard-app", &["picard-domain", "picard-crypto", "picard-storage", "picard-auth", "picard-embedding", "picard-llm"]),
    ("picard-mcp", &["picard-domain", "picard-app"]),
    (
        "picard-server",
        &[
            "picard-domain",
            "picard-crypto",
            "picard-storage",
            "picard-auth",
            "picard-embedding",
            "picard-llm",
            "picard-app",
            "picard-mcp",
        ],
    ),
    ("picard-web", &["picard-crypto"]),
    ("picard", &["picard-server", "picard-web"]),
];

/// Who may speak to PostgreSQL: the server's storage, the web application, and the launcher, which only creates
/// databases and waits for them. Tests of any crate may.
const MAY_USE_SQL: [&str; 3] = ["picard-storage", "picard-web", "picard"];

/// A file of code, its tests included, has at most this many lines.
const LONGEST_FILE: usize = 400;

/// What the rules need to know of one `Cargo.toml`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Manifest {
    name: String,
    /// Names of `[dependencies]` and `[build-dependencies]`, for any target.
    dependencies: Vec<String>,
    /// Names of `[dev-dependencies]`.
    test_dependencies: Vec<String>,
    takes_workspace_lints: bool,
}

/// Reads the few lines of a manifest that matter here; the full syntax is not needed for our own files.
fn read_manifest(text: &str) -> Manifest {
    let mut manifest = Manifest::default();
    let mut section = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).to_owned();
            // `[dependencies.name]` is another spelling of an entry.
            if let Some((table, name)) = section.rsplit_once('.') {
                add_dependency(&mut manifest, table, name);
            }
        } else if let Some((key, value)) = line.split_once('=') {
            let name = key.split('.').next().unwrap_or(key).trim().trim_matches('"');
            match section.as_str() {
                "package" if key.trim() == "name" => manifest.name = value.trim().trim_matches('"').to_owned(),
                "lints" if key.trim() == "workspace" => manifest.takes_workspace_lints = value.trim() == "true",
                table => add_dependency(&mut manifest, table, renamed(value).unwrap_or(name)),
            }
        }
    }
    manifest
}

fn add_dependency(manifest: &mut Manifest, table: &str, name: &str) {
    let table = table.rsplit('.').next().unwrap_or(table);
    match table {
        "dependencies" | "build-dependencies" => manifest.dependencies.push(name.to_owned()),
        "dev-dependencies" => manifest.test_dependencies.push(name.to_owned()),
        _ => {}
    }
}

/// The real name in `other = { package = "name" }`.
fn renamed(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("package")?;
    rest.trim_start().strip_prefix('=')?.split('"').nth(1)
}

/// Everything about these manifests that the rules forbid.
fn wrong_arrows(manifests: &[Manifest]) -> Vec<String> {
    let may_use = BTreeMap::from(MAY_USE);
    let mut wrong = Vec::new();
    for manifest in manifests {
        let name = manifest.name.as_str();
        let Some(allowed) = may_use.get(name) else {
            wrong.push(format!("{name} is not in the table of crates"));
            continue;
        };
        for used in manifest.dependencies.iter().chain(&manifest.test_dependencies) {
            let is_ours = used == "picard" || used.starts_with("picard-");
            if is_ours && used != name && !is_test_kit(used) && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{name} may not use {used}"));
            }
        }
        if manifest.dependencies.iter().any(|used| used == "sqlx") && !MAY_USE_SQL.contains(&name) {
            wrong.push(format!("{name} may not use sqlx"));
        }
        if !manifest.takes_workspace_lints {
            wrong.push(format!("{name} does not take the workspace's lints"));
        }
    }
    wrong
}

/// A crate with helpers for tests only.
fn is_test_kit(name: &str) -> bool {
    name.ends_with("-testkit")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace's root")
}

/// The folders of all crates.
fn crates() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("crates")).expect("the folder of crates");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.push(root().join("client-web"));
    folders.retain(|folder| folder.join("Cargo.toml").is_file());
    folders
}

/// All Rust files below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_arrow_between_crates_is_in_the_table() {
    let read = |folder: &PathBuf| fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    let manifests: Vec<Manifest> = crates().iter().map(|folder| read_manifest(&read(folder))).collect();

    let wrong = wrong_arrows(&manifests);

    assert!(manifests.len() >= 10, "only {} crates were found", manifests.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_wrong_arrow_is_found_however_it_is_written() {
    let planted = r#"
        [package]
        name = "picard-domain"
        [dependencies]
        picard-storage.workspace = true
        harmless = { package = "picard-app", path = "../app" }
        sqlx = { workspace = true }
        [target.'cfg(unix)'.dependencies]
        picard-web = "1"
        [dev-dependencies.picard-server]
        path = "../server"
        [lints]
        workspace = true
    "#;

    let wrong = wrong_arrows(&[read_manifest(planted)]);

    let forbidden = ["picard-storage", "picard-app", "picard-web", "picard-server", "sqlx"];
    assert_eq!(wrong, forbidden.map(|used| format!("picard-domain may not use {used}")), "{wrong:#?}");
}

#[test]
fn a_crate_that_nobody_drew_is_found() {
    let wrong = wrong_arrows(&[read_manifest("[package]\nname = \"picard-common\"")]);

    assert_eq!(wrong, ["picard-common is not in the table of crates"]);
}

#[test]
fn the_web_application_speaks_sql_in_one_place() {
    let database = root().join("client-web/src/db");
    let is_sql = |text: &str| text.contains("sqlx::query") || text.contains("query!(") || text.contains("query_as!(");

    let elsewhere: Vec<PathBuf> = rust_files(&root().join("client-web/src"))
        .into_iter()
        .filter(|file| !file.starts_with(&database))
        .filter(|file| is_sql(&fs::read_to_string(file).expect("a file")))
        .collect();

    assert!(elsewhere.is_empty(), "SQL belongs into client-web/src/db: {elsewhere:#?}");
}

#[test]
fn no_file_is_too_long() {
    let length = |file: &PathBuf| fs::read_to_string(file).expect("a file").lines().count();

    let long: Vec<(PathBuf, usize)> = crates()
        .iter()
        .flat_map(|folder| rust_files(folder))
        .map(|file| (file.clone(), length(&file)))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();

    assert!(long.is_empty(), "at most {LONGEST_FILE} lines: {long:#?}");
}

#[test]
fn every_crate_says_what_it_is_in_at_most_twelve_lines() {
    let overview = |folder: &PathBuf| {
        let text = fs::read_to_string(folder.join("src/lib.rs")).expect("a library");
        text.lines().take_while(|line| line.starts_with("//!")).count()
    };

    let wrong: Vec<(PathBuf, usize)> = crates()
        .into_iter()
        .map(|folder| (folder.clone(), overview(&folder)))
        .filter(|(_, lines)| !(1..=12).contains(lines))
        .collect();

    assert!(wrong.is_empty(), "src/lib.rs opens with 1 to 12 lines of `//!`: {wrong:#?}");
}
