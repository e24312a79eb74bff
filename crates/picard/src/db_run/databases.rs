//! The databases that the command is given.

use std::path::PathBuf;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use url::Url;

use super::scratch::{self, Scratch};
use crate::environment::Environment;
use crate::fetch::Cache;
use crate::files;
use crate::postgres::databases::{add_vectors, explain, run};
use crate::postgres::{Cluster, Plan, Purpose, SUPERUSER, locate};
use crate::problem::Problem;
use crate::random;

/// A server with two migrated databases.
pub(super) struct Prepared {
    /// Ours, dropped (and so stopped) before its folder.
    cluster: Option<(Cluster, Scratch)>,
    url: String,
    server: String,
    web: String,
    model_dir: PathBuf,
}

impl Prepared {
    /// On a PostgreSQL of our own in a temporary folder.
    pub(super) async fn on_own_server(environment: &Environment, cache: &Cache, model_dir: PathBuf) -> Result<Self, Problem> {
        scratch::sweep().await;
        let installation = locate::locate(environment, cache, None).await?;
        let scratch = Scratch::create()?;
        let data_dir = files::absolute(scratch.path())?;
        let plan = Plan { data_dir, purpose: Purpose::ThrowAway, password: random::secret()?, last_port: None };
        let cluster = Cluster::start(&plan, installation).await?;
        let url = cluster.url("postgres");
        let template = add_vectors(&cluster.url("template1")).await;
        template.map_err(|error| explain("add the extension vector (pgvector)", &error))?;
        speed_up_sign_in(&url, &plan.password).await?;
        Self::migrated(url, "", Some((cluster, scratch)), model_dir).await
    }

    /// On a server that is there already; nothing of it is changed but the two databases that are added.
    pub(super) async fn on_given_server(url: &str, model_dir: PathBuf) -> Result<Self, Problem> {
        Self::migrated(url.to_owned(), &format!("_{}", random::tag()?), None, model_dir).await
    }

    async fn migrated(
        url: String,
        suffix: &str,
        cluster: Option<(Cluster, Scratch)>,
        model_dir: PathBuf,
    ) -> Result<Self, Problem> {
        let server = with_database(&url, &format!("prepare_server{suffix}"))?;
        let web = with_database(&url, &format!("prepare_web{suffix}"))?;
        let prepared = Self { cluster, url, server, web, model_dir };
        let created = prepared.create_both().await;
        created.map_err(|error| explain("create databases with DATABASE_URL", &error))?;
        let migrated = picard_server::migrate(&prepared.server).await;
        migrated.map_err(|error| Problem::from_error("migrate the server's database", &error))?;
        let migrated = picard_web::migrate(&prepared.web).await;
        migrated.map_err(|error| Problem::from_error("migrate the web application's database", &error))?;
        Ok(prepared)
    }

    /// What the command finds in its environment.
    pub(super) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("DATABASE_URL", self.url.clone()),
            ("SERVER_DATABASE_URL", self.server.clone()),
            ("WEB_DATABASE_URL", self.web.clone()),
            ("EMBEDDING_MODEL_DIR", self.model_dir.to_string_lossy().into_owned()),
        ]
    }

    /// Removes everything again.
    pub(super) async fn remove(self) {
        if self.cluster.is_some() {
            return;
        }
        if let Err(error) = self.drop_both().await {
            eprintln!("picard: cannot drop the databases prepare_server and prepare_web again: {error}");
        }
    }

    async fn create_both(&self) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect(&self.url).await?;
        for url in [&self.server, &self.web] {
            run(&mut connection, format!("CREATE DATABASE {}", name_of(url))).await?;
        }
        connection.close().await?;
        if self.cluster.is_some() { Ok(()) } else { add_vectors(&self.server).await }
    }

    async fn drop_both(&self) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect(&self.url).await?;
        for url in [&self.server, &self.web] {
            run(&mut connection, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name_of(url))).await?;
        }
        connection.close().await
    }
}

/// Signing in costs thousands of hash rounds, which protects short passwords: this one has 256 bits, and tests
/// sign in often. Older versions of PostgreSQL cannot set it.
async fn speed_up_sign_in(url: &str, password: &str) -> Result<(), Problem> {
    let change = async {
        let mut connection = PgConnection::connect(url).await?;
        let statement = format!("SET scram_iterations = 1; ALTER ROLE {SUPERUSER} PASSWORD '{password}'");
        if connection.server_version_num().is_some_and(|version| version >= 160_000) {
            connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
        }
        connection.close().await
    };
    change.await.map_err(|error: sqlx::Error| explain("set up the temporary PostgreSQL", &error))
}

fn with_database(url: &str, name: &str) -> Result<String, Problem> {
    let parsed = Url::parse(url)
        .map_err(|_| Problem::new("DATABASE_URL is not a URL").advice("write it as postgres://user:password@host:5432/database"));
    let mut url = parsed?;
    url.set_path(&format!("/{name}"));
    Ok(url.to_string())
}

/// The database's name in a URL made by [`with_database`]: a plain word.
fn name_of(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}
