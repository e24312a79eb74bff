//! The two databases of `up`: on a private PostgreSQL in the data folder, or on the person's own server.

use std::path::Path;

use super::UpArguments;
use crate::env_file::EnvFile;
use crate::environment::Environment;
use crate::fetch::Cache;
use crate::postgres::databases::{Owned, ensure_owned};
use crate::postgres::{Cluster, Plan, Purpose, external, locate};
use crate::problem::Problem;
use crate::random;

const SERVER: &str = "picard_server";
const WEB: &str = "picard_web";

/// Two databases that are there and may be connected to.
pub(super) struct Databases {
    /// The PostgreSQL that we run; none when the person runs it.
    pub(super) cluster: Option<Cluster>,
    pub(super) server_url: String,
    pub(super) web_url: String,
}

/// Whether the data folder holds a private PostgreSQL already.
pub(super) fn has_cluster(data_dir: &Path) -> bool {
    locate::version_of_cluster(&data_dir.join("postgres")).is_some()
}

/// Makes both databases available.
pub(super) async fn prepare(
    arguments: &UpArguments,
    environment: &Environment,
    cache: &Cache,
    data_dir: &Path,
) -> Result<Databases, Problem> {
    match arguments.database_url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => own_server(url, environment).await,
        None => private(environment, cache, data_dir).await,
    }
}

async fn own_server(url: &str, environment: &Environment) -> Result<Databases, Problem> {
    external::ensure_database("DATABASE_URL", url).await?;
    external::ensure_vectors(url).await?;
    let web_url = match environment.get("WEB_DATABASE_URL") {
        Some(given) => given.to_owned(),
        None => external::web_database_url(url)?,
    };
    let web_url = given_web_database(&web_url).await?;
    Ok(Databases { cluster: None, server_url: url.to_owned(), web_url })
}

async fn given_web_database(url: &str) -> Result<String, Problem> {
    external::ensure_database("WEB_DATABASE_URL", url).await?;
    Ok(url.to_owned())
}

async fn private(environment: &Environment, cache: &Cache, data_dir: &Path) -> Result<Databases, Problem> {
    let major = locate::version_of_cluster(&data_dir.join("postgres"));
    let installation = locate::locate(environment, cache, major).await?;
    let mut kept = passwords(data_dir, major.is_some())?;
    let password = |kept: &EnvFile, name: &str| kept.get(name).unwrap_or_default();
    let plan = Plan {
        data_dir: data_dir.to_owned(),
        purpose: Purpose::Durable,
        password: password(&kept, "SUPERUSER_PASSWORD"),
        last_port: kept.get("PORT").and_then(|port| port.parse().ok()),
    };
    let cluster = Cluster::start(&plan, installation).await?;
    kept.set("PORT", &cluster.port().to_string());
    kept.save()?;
    let server = password(&kept, "SERVER_PASSWORD");
    let web = password(&kept, "WEB_PASSWORD");
    ensure_owned(&cluster, &Owned { name: SERVER, password: &server, has_vectors: true }).await?;
    ensure_owned(&cluster, &Owned { name: WEB, password: &web, has_vectors: false }).await?;
    let server_url = cluster.url_as(SERVER, &server, SERVER);
    let web_url = match environment.get("WEB_DATABASE_URL") {
        Some(given) => given_web_database(given).await?,
        None => cluster.url_as(WEB, &web, WEB),
    };
    Ok(Databases { cluster: Some(cluster), server_url, web_url })
}

/// The passwords of the cluster's roles, saved before the cluster is made.
fn passwords(data_dir: &Path, has_cluster: bool) -> Result<EnvFile, Problem> {
    let mut kept = EnvFile::load(&data_dir.join("postgres.env"))?;
    if has_cluster && kept.get("SUPERUSER_PASSWORD").is_none() {
        return Err(Problem::new(format!("the passwords of the private PostgreSQL ({}) are gone", kept.path().display()))
            .advice("restore that file from a backup; or, to begin anew and lose all memories, remove the whole data folder"));
    }
    kept.comment_if_new("Written by `picard up`: the private PostgreSQL in the folder `postgres` beside this file.");
    for name in ["SUPERUSER_PASSWORD", "SERVER_PASSWORD", "WEB_PASSWORD"] {
        if kept.get(name).is_none() {
            kept.set(name, &random::secret()?);
        }
    }
    kept.save()?;
    Ok(kept)
}
