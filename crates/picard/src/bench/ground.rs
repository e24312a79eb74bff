//! What the bench stands on: a PostgreSQL, keys and a registered client of its own, kept in the cache folder.

use std::path::PathBuf;
use std::sync::Arc;

use picard_server::{Embedder, NewAdministrator};
use reqwest::Client;
use secrecy::SecretString;
use serde_json::json;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::server::Embedding;
use crate::env_file::EnvFile;
use crate::environment::Environment;
use crate::fetch::{self, Cache};
use crate::files::{self, Lock};
use crate::postgres::databases::{Owned, ensure_owned, explain, run};
use crate::postgres::{Cluster, Installation, Plan, Purpose, locate};
use crate::problem::Problem;
use crate::program::{Program, configure};
use crate::random;
use crate::rest::{Credentials, send};

const DATABASE: &str = "picard_server";
/// The beginning of the names of databases for vectors of a provider's.
const LONG_DATABASE: &str = "picard_server_of";
/// The web application's, new in every run.
const WEB_DATABASE: &str = "picard_web";
const ADMINISTRATOR: &str = "admin";

/// PostgreSQL shows statements of other connections up to this length (1024 bytes by default, which is too short).
const STATEMENT_BYTES: u32 = 16_384;

/// The bench's own house. The order of the fields is the order in which they end.
pub(super) struct Ground {
    cluster: Cluster,
    installation: Installation,
    pub(super) folder: PathBuf,
    kept: EnvFile,
    model_dir: PathBuf,
    _lock: Lock,
}

impl Ground {
    /// Starts PostgreSQL and makes what is missing.
    pub(super) async fn prepare(environment: &Environment) -> Result<Self, Problem> {
        let cache = Cache::find(environment)?;
        let folder = cache.folder().join("bench");
        files::create_data_folder(&folder)?;
        let lock = Lock::take(&folder)?;
        let model_dir = fetch::model(environment, &cache).await?;
        let major = locate::version_of_cluster(&folder.join("postgres"));
        let installation = locate::locate(environment, &cache, major).await?;
        let mut kept = EnvFile::load(&folder.join("bench.env"))?;
        if major.is_some() && kept.is_empty() {
            return Err(Problem::new(format!("the passwords of the bench are gone ({})", kept.path().display()))
                .advice(format!("begin anew: `rm -r {}`", folder.display())));
        }
        make_secrets(&mut kept)?;
        let plan = Plan {
            data_dir: folder.clone(),
            purpose: Purpose::Durable,
            password: value(&kept, "SUPERUSER_PASSWORD"),
            last_port: None,
        };
        let cluster = start(&plan, installation.clone()).await?;
        let owned = Owned { name: DATABASE, password: &value(&kept, "SERVER_PASSWORD"), has_vectors: true };
        ensure_owned(&cluster, &owned).await?;
        Ok(Self { cluster, installation, folder, kept, model_dir, _lock: lock })
    }

    /// One of PostgreSQL's own programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.installation.program(name)
    }

    /// Makes the database for memories whose vectors are a provider's, if it is missing.
    pub(super) async fn prepare_database(&self, embedding: Embedding) -> Result<(), Problem> {
        let (name, password) = (database(embedding), value(&self.kept, "SERVER_PASSWORD"));
        ensure_owned(&self.cluster, &Owned { name: &name, password: &password, has_vectors: true }).await
    }

    /// The server's database as the server's own role.
    pub(super) fn database_url(&self, embedding: Embedding) -> String {
        let password = value(&self.kept, "SERVER_PASSWORD");
        let name = database(embedding);
        self.cluster.url_as(&name, &password, &name)
    }

    /// The server's database as the superuser.
    pub(super) fn superuser_url(&self, embedding: Embedding) -> String {
        self.cluster.url(&database(embedding))
    }

    /// The server's settings, except for its address.
    pub(super) fn variables(&self, embedding: Embedding) -> Vec<(String, String)> {
        let mut variables =
            vec![("DATABASE_URL", self.database_url(embedding)), ("ENCRYPTION_KEYS", value(&self.kept, "ENCRYPTION_KEYS"))];
        // High enough for the bench, and still counted: what a limit costs is part of what is measured.
        variables.extend(["TOOL_LIMIT_PER_MINUTE", "TOKEN_LIMIT_PER_MINUTE"].map(|name| (name, 1_000_000_000.to_string())));
        match embedding {
            Embedding::Local => {
                variables.push(("EMBEDDING_MODEL_DIR", self.model_dir.to_string_lossy().into_owned()));
            }
            Embedding::Provider { port, dimensions, .. } => variables.extend([
                ("OPENAI_API_KEY", "bench".to_owned()),
                ("OPENAI_BASE_URL", format!("http://127.0.0.1:{port}/v1")),
                ("EMBEDDING_MODEL", "bench".to_owned()),
                ("EMBEDDING_DIMENSIONS", dimensions.to_string()),
            ]),
            Embedding::Unused => variables.extend([
                ("OPENAI_API_KEY", "unused".to_owned()),
                // The discard port: nobody answers there, and nobody is asked.
                ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1".to_owned()),
            ]),
        }
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        variables.into_iter().map(owned).collect()
    }

    /// The server's configuration.
    pub(super) fn config(&self, embedding: Embedding) -> Result<picard_server::Config, Problem> {
        configure(Program::Server, &self.variables(embedding))
    }

    /// The local model, loaded into this process as the server loads it.
    pub(super) fn embedder(&self) -> Result<Arc<dyn Embedder>, Problem> {
        let embedder = picard_server::embedder(&self.config(Embedding::Local)?);
        embedder.map_err(|error| Problem::from_error("load the local model", &error))
    }

    /// An empty database for the web application, and the settings of one that acts as the bench's client.
    pub(super) async fn web_variables(
        &self,
        server_url: &str,
        credentials: &Credentials,
    ) -> Result<Vec<(String, String)>, Problem> {
        let (name, password) = (WEB_DATABASE, value(&self.kept, "SERVER_PASSWORD"));
        let removed = remove(&self.cluster.url("postgres"), name).await;
        removed.map_err(|error| explain("remove the web application's old database", &error))?;
        ensure_owned(&self.cluster, &Owned { name, password: &password, has_vectors: false }).await?;
        let variables = [
            ("WEB_DATABASE_URL", self.cluster.url_as(name, &password, name)),
            ("WEB_ENCRYPTION_KEYS", random::fernet_key()?),
            ("SERVER_URL", server_url.to_owned()),
            ("CLIENT_ID", credentials.id.clone()),
            ("CLIENT_SECRET", credentials.secret.clone()),
        ];
        Ok(variables.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Lets the web application's people connect to accounts at the server that were there before they registered. The
    /// application itself refuses that: a name is no proof of whose account it is.
    pub(super) async fn trust_names(&self) -> Result<(), Problem> {
        let trust = async {
            let mut connection = PgConnection::connect(&self.cluster.url(WEB_DATABASE)).await?;
            run(&mut connection, "UPDATE people SET has_begun_account = true".to_owned()).await?;
            connection.close().await
        };
        trust.await.map_err(|error| explain("prepare the web application's people", &error))
    }

    /// The bench's client at the server, registered the first time.
    pub(super) async fn credentials(&mut self, http: &Client, url: &str, embedding: Embedding) -> Result<Credentials, Problem> {
        let of = match embedding {
            Embedding::Provider { dimensions, people, .. } => format!("_{dimensions}_{people}"),
            Embedding::Local | Embedding::Unused => String::new(),
        };
        let (id, secret) = (format!("CLIENT_ID{of}"), format!("CLIENT_SECRET{of}"));
        if self.kept.get(&id).is_none() {
            self.register(http, url, embedding, [(&id, "client_id"), (&secret, "client_secret")]).await?;
        }
        Ok(Credentials { id: value(&self.kept, &id), secret: value(&self.kept, &secret) })
    }

    async fn register(
        &mut self,
        http: &Client,
        url: &str,
        embedding: Embedding,
        names: [(&str, &str); 2],
    ) -> Result<(), Problem> {
        let password = value(&self.kept, "ADMIN_PASSWORD");
        let administrator =
            NewAdministrator { username: ADMINISTRATOR.to_owned(), email: None, password: SecretString::from(password.clone()) };
        let created = picard_server::create_admin(&self.config(embedding)?, administrator).await;
        created.map_err(|error| Problem::from_error("create the administrator", &error))?;
        let request =
            http.post(format!("{url}/api/admin/clients/register")).basic_auth(ADMINISTRATOR, Some(password)).json(&json!({
                "client_name": "picard bench",
                "redirect_uris": ["http://127.0.0.1/unused"],
                "scopes": ["memories:read", "memories:write"],
            }));
        let answer = send("register the bench at the server", request).await?;
        for (name, member) in names {
            self.kept.set(name, answer[member].as_str().unwrap_or_default());
        }
        self.kept.save()
    }
}

/// A server embeds all that it finds with its own model, so each kind of vector has a database of its own.
fn database(embedding: Embedding) -> String {
    match embedding {
        Embedding::Provider { dimensions, people, .. } => format!("{LONG_DATABASE}_{dimensions}_{people}"),
        Embedding::Local | Embedding::Unused => DATABASE.to_owned(),
    }
}

async fn remove(url: &str, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    run(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    connection.close().await
}

fn value(kept: &EnvFile, name: &str) -> String {
    kept.get(name).unwrap_or_default()
}

/// Saved before there is anything that needs them.
fn make_secrets(kept: &mut EnvFile) -> Result<(), Problem> {
    kept.comment_if_new("Written by `picard bench`. The whole folder may be removed at any time.");
    for name in ["SUPERUSER_PASSWORD", "SERVER_PASSWORD", "ADMIN_PASSWORD"] {
        if kept.get(name).is_none() {
            kept.set(name, &random::secret()?);
        }
    }
    if kept.get("ENCRYPTION_KEYS").is_none() {
        kept.set("ENCRYPTION_KEYS", &random::fernet_key()?);
    }
    kept.save()
}

/// Starts the cluster; a new one twice, because one of its settings holds only from the next start.
async fn start(plan: &Plan, installation: Installation) -> Result<Cluster, Problem> {
    let cluster = Cluster::start(plan, installation.clone()).await?;
    let changed = set_statement_bytes(&cluster.url("postgres")).await;
    if changed.map_err(|error| explain("set up PostgreSQL for the bench", &error))? {
        drop(cluster);
        return Cluster::start(plan, installation).await;
    }
    Ok(cluster)
}

/// Whether the setting had to be changed.
async fn set_statement_bytes(url: &str) -> Result<bool, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let current = sqlx::query_scalar("SELECT setting::int4 FROM pg_settings WHERE name = 'track_activity_query_size'");
    let current: i32 = current.fetch_one(&mut connection).await?;
    let is_short = i64::from(current) < i64::from(STATEMENT_BYTES);
    if is_short {
        run(&mut connection, format!("ALTER SYSTEM SET track_activity_query_size = {STATEMENT_BYTES}")).await?;
    }
    connection.close().await?;
    Ok(is_short)
}
