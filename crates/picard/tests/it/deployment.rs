//! What containers are made and run by, checked without any: every file that is named exists, every variable is one that
//! the programs read, and nothing runs as root or may write where it need not (OPS-10).

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use serde_json::Value;

/// What Render's blueprints say of a web service and a database (render.com/docs/blueprint-spec), as far as it is used.
const OF_SERVICES: [&str; 11] = [
    "type",
    "name",
    "runtime",
    "plan",
    "region",
    "dockerfilePath",
    "dockerContext",
    "healthCheckPath",
    "maxShutdownDelaySeconds",
    "autoDeployTrigger",
    "envVars",
];
const OF_DATABASES: [&str; 6] = ["name", "databaseName", "user", "postgresMajorVersion", "plan", "ipAllowList"];

/// What images and volumes say, or only commands that run once read, so that nobody sets it for compose.
const FIXED: [&str; 9] = [
    "SERVER_ADDR",
    "METRICS_ADDR",
    "EMBEDDING_MODEL_DIR",
    "WEB_ADDR",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "ADMIN_USERNAME",
    "ADMIN_PASSWORD",
    "PORT",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The variables that a program reads, and those of the platform or of its one-shot commands.
fn variables(command: &clap::Command, others: &[&str]) -> BTreeSet<String> {
    let read = command.get_arguments().filter_map(|argument| argument.get_env()).map(|name| name.to_string_lossy().into_owned());
    read.chain(others.iter().map(|&name| name.to_owned())).collect()
}

fn of_server() -> BTreeSet<String> {
    variables(&picard_server::Config::command(), &["ADMIN_USERNAME", "ADMIN_PASSWORD", "PORT"])
}

fn of_web() -> BTreeSet<String> {
    variables(&picard_web::Config::command(), &["ADMIN_USERNAME", "ADMIN_PASSWORD", "PORT"])
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

fn names(list: &Value) -> BTreeSet<String> {
    match list {
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        other => keys(other),
    }
}

#[test]
fn compose_runs_both_programs_with_few_rights_ops_10() {
    let compose = yaml("docker-compose.yml");
    let services = compose["services"].as_object().expect("services");
    let expected = ["create_admin", "db-mcp", "db-web", "mcp_server", "register_client", "web_client"];
    assert_eq!(services.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(expected));

    for (name, service) in services {
        let known = match service["image"].as_str().expect("an image") {
            "picard-server" => of_server(),
            "picard-web" => of_web(),
            database => {
                assert_eq!(database, "pgvector/pgvector:pg17", "{name}");
                assert!(service["healthcheck"].is_object(), "{name} is waited for");
                continue;
            }
        };
        let given = keys(&service["environment"]);
        if service["build"].is_null() {
            assert_eq!(service["pull_policy"], "never", "{name}: no registry has the image");
            assert_eq!(service["healthcheck"]["disable"], true, "{name} ends, and is asked for a program that goes on");
        } else {
            let missing: Vec<&String> = known.difference(&given).filter(|variable| !FIXED.contains(&variable.as_str())).collect();
            assert!(missing.is_empty(), "{name} is not given {missing:?}: what stands in .env would be without effect");
        }
        let unknown: Vec<String> = given.difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{name} is given {unknown:?}, which nobody reads");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(names(&service["cap_drop"]), BTreeSet::from(["ALL".to_owned()]), "{name}");
        assert_eq!(names(&service["security_opt"]), BTreeSet::from(["no-new-privileges:true".to_owned()]), "{name}");
    }
    for service in services.values() {
        for (of, list) in [("services", "depends_on"), ("networks", "networks")] {
            let unknown: Vec<String> = names(&service[list]).difference(&keys(&compose[of])).cloned().collect();
            assert!(unknown.is_empty(), "{list}: {unknown:?}");
        }
        if let Some(file) = service["build"]["dockerfile"].as_str() {
            assert!(root().join(file).is_file(), "{file}");
        }
    }
    for (name, port) in [("mcp_server", ":8001"), ("web_client", ":8000")] {
        let service = &services[name];
        assert!(service["healthcheck"]["test"].to_string().contains("healthy"), "{name}");
        assert!(service["ports"][0].as_str().is_some_and(|ports| ports.ends_with(port)), "{name}");
    }
}

#[test]
fn every_secret_that_compose_asks_for_is_made_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |name: &str| {
        let file = folder.path().join(name);
        let made = Command::new("sh").arg(root().join("docker/make-env")).arg(&file).output().expect("a shell");
        (made.status.success(), std::fs::read_to_string(&file).expect("text"))
    };
    let ((_, first), (_, second)) = (run("first"), run("second"));
    assert_eq!(run("first"), (false, first.clone()), "OPS-10: keys that something was encrypted by are never replaced");
    let mode = std::fs::metadata(folder.path().join("first")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o077, 0, "OPS-10: others on the machine read the keys");
    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("{name} is not made")).to_owned()
    };
    let compose = text("docker-compose.yml");
    let asked: BTreeSet<&str> = compose
        .split("${")
        .skip(1)
        .filter_map(|part| part.split_once(":?"))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();

    assert_eq!(asked.len(), 6, "{asked:?}");
    for name in asked {
        let secret = value(&first, name);
        assert!(secret.len() >= 32 && secret != value(&second, name), "{name}");
        if name.ends_with("ENCRYPTION_KEYS") {
            // Base64url of 32 bytes.
            let is_plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
            assert!(is_plain && secret.len() == 44 && secret.ends_with('='), "{name}");
        }
    }
}

#[test]
fn images_hold_one_program_that_is_not_root_ops_10() {
    for (file, program) in [("docker/server.Dockerfile", "picard-server"), ("docker/web.Dockerfile", "picard-web")] {
        let text = text(file);
        let last = text.rsplit("\nFROM ").next().expect("a stage");
        assert!(last.contains("\nUSER 10001:10001\n"), "{file} runs as root");
        assert!(last.contains(&format!("CMD [\"{program}\", \"healthy\"]")), "{file} has no health check");
        assert!(last.contains(&format!("\nENTRYPOINT [\"{program}\"]")), "{file}");
        assert!(!text.contains(":latest") && text.contains("--locked"), "{file} builds something else every time");
        let user = last.find("\nUSER ").expect("a user");
        assert!(!last[user..].contains("\nRUN ") && !last[user..].contains("\nCOPY "), "{file}");
    }
    let allowed: BTreeSet<String> =
        text(".dockerignore").lines().filter_map(|line| line.strip_prefix('!')).map(str::to_owned).collect();
    for needed in ["Cargo.toml", "Cargo.lock", ".sqlx", "crates", "client-web", "migrations"] {
        assert!(allowed.contains(needed) && root().join(needed).exists(), "{needed} is not sent to the build");
    }
    assert!(!allowed.iter().any(|name| name.starts_with(".env") || name == ".git"), "{allowed:?}");
    let ignored = text(".dockerignore");
    for never in ["**/.env*", "**/target"] {
        let place = ignored.lines().position(|line| line == never).unwrap_or_else(|| panic!("{never} is sent to the build"));
        assert!(!ignored.lines().skip(place).any(|line| line.starts_with('!')), "OPS-10: {never} has to come last");
    }
    let built = |file| {
        text(file).lines().find_map(|line| line.contains("cargo build").then(|| line.split(" && ").next().map(str::to_owned)))
    };
    assert_eq!(
        built("docker/server.Dockerfile"),
        built("docker/web.Dockerfile"),
        "one image's build is of no use to the other's"
    );
}

#[test]
fn the_blueprint_for_render_names_what_there_is() {
    let blueprint = yaml("render.yaml");
    let databases = blueprint["databases"].as_array().expect("databases");
    for database in databases {
        assert_eq!(database["postgresMajorVersion"], "17");
        assert!(keys(database).iter().all(|key| OF_DATABASES.contains(&key.as_str())), "{:?}", keys(database));
        assert_eq!(database["ipAllowList"].as_array().map(Vec::len), Some(0), "nobody reaches it from outside");
    }
    let there: BTreeSet<&str> = databases.iter().filter_map(|database| database["name"].as_str()).collect();
    let services = blueprint["services"].as_array().expect("services");
    assert_eq!((services.len(), there.len()), (2, 2));

    for (service, known) in services.iter().zip([of_server(), of_web()]) {
        let name = &service["name"];
        assert!(keys(service).iter().all(|key| OF_SERVICES.contains(&key.as_str())), "{name}: {:?}", keys(service));
        assert_eq!((&service["type"], &service["runtime"]), (&Value::from("web"), &Value::from("docker")), "{name}");
        assert_eq!(service["healthCheckPath"], "/health/readiness", "{name}");
        assert!(root().join(service["dockerfilePath"].as_str().expect("a path")).is_file(), "{name}");
        for variable in service["envVars"].as_array().expect("variables") {
            let key = variable["key"].as_str().expect("a name");
            assert!(known.contains(key), "{name} is given {key}, which nobody reads");
            let from = &variable["fromDatabase"];
            assert!(from.is_null() || from["name"].as_str().is_some_and(|name| there.contains(name)), "{key}");
            let sources = keys(variable).len();
            assert_eq!(sources, 2, "{key} comes from one place");
            let is_secret = key.contains("KEY") || key.contains("PASSWORD") || key.contains("SECRET");
            assert!(!is_secret || variable["value"].is_null(), "{key} is a secret and stands in the file");
        }
    }
}
