//! Everything that runs, from the database up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use picard_server::RunningServer;
use picard_web::RunningWeb;

use super::administrator::Administrator;
use super::ready::Ready;
use super::secrets::{Known, Secrets};
use super::{UpArguments, addresses, database, demo, log, ready};
use crate::environment::Environment;
use crate::fetch::{self, Cache};
use crate::files::{self, Lock};
use crate::postgres::Cluster;
use crate::problem::Problem;
use crate::program::{Program, configure};

/// How long a program may take to finish its requests.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running parts. The order of the fields is the order in which they end.
pub(super) struct House {
    web: Option<RunningWeb>,
    server: Option<RunningServer>,
    cluster: Option<Cluster>,
    ready: Ready,
    /// The administrator of a first start with the password that the person must be told.
    first: (Administrator, Option<String>),
    data_dir: PathBuf,
    demo: Option<demo::Accounts>,
    _lock: Lock,
}

impl House {
    /// Starts everything. When it fails or is dropped half-way, what already runs is stopped.
    pub(super) async fn bring_up(arguments: &UpArguments, environment: &Environment) -> Result<Self, Problem> {
        let (server_address, web_address) = addresses::check(arguments.server_addr, arguments.web_addr)?;
        let data_dir = files::absolute(&arguments.data_dir)?;
        files::create_data_folder(&data_dir)?;
        let lock = Lock::take(&data_dir)?;
        let cache = Cache::find(environment)?;
        let has_cluster = database::has_cluster(&data_dir);
        let mut secrets = Secrets::load(&data_dir, environment, has_cluster)?;
        let databases = database::prepare(arguments, environment, &cache, &data_dir).await?;
        let model_dir = match environment.has("OPENAI_API_KEY") {
            true => None,
            false => Some(fetch::model(environment, &cache).await?),
        };
        let known = Known {
            server_database_url: databases.server_url,
            web_database_url: databases.web_url,
            had_database: has_cluster || databases.cluster.is_none(),
            is_private: databases.cluster.is_some(),
            model_dir,
            server_address,
            web_address,
        };
        let is_settled = secrets.complete(&known, environment)?;
        log::start(environment);
        let programs = Programs { secrets, is_settled, environment, known };
        let mut house = programs.start(databases.cluster, data_dir, lock).await?;
        if arguments.demo {
            house.demo = Some(house.add_demo(server_address, web_address).await?);
        }
        Ok(house)
    }

    async fn add_demo(&self, server: SocketAddr, web: SocketAddr) -> Result<demo::Accounts, Problem> {
        demo::add(&self.data_dir, &addresses::local_url(server), &addresses::local_url(web)).await
    }

    /// Says that everything is up, to the person and, when asked for, to a program.
    pub(super) fn announce(&mut self, json: bool) -> Result<(), Problem> {
        ready::tell(&self.ready, self.first.1.take().as_deref(), &self.data_dir);
        if let Some(accounts) = &self.demo {
            accounts.tell();
        }
        self.first.0.finish()?;
        if json { ready::print_line(&self.ready) } else { Ok(()) }
    }

    /// Returns the name of the first part that ends by itself.
    pub(super) async fn wait(&mut self) -> &'static str {
        let server = async {
            match &mut self.server {
                Some(server) => server.wait().await,
                None => std::future::pending().await,
            }
        };
        let web = async {
            match &mut self.web {
                Some(web) => web.wait().await,
                None => std::future::pending().await,
            }
        };
        let database = async {
            match &mut self.cluster {
                Some(cluster) => cluster.wait().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = server => Program::Server.name(),
            () = web => Program::Web.name(),
            () = database => "PostgreSQL",
        }
    }

    /// Lets both programs finish what they are doing; the web application first, because it uses the server.
    pub(super) async fn stop_programs(&mut self) {
        if let Some(web) = self.web.take() {
            note(Program::Web, tokio::time::timeout(PATIENCE, web.stop()).await);
        }
        if let Some(server) = self.server.take() {
            note(Program::Server, tokio::time::timeout(PATIENCE, server.stop()).await);
        }
    }
}

fn note<E: std::error::Error>(program: Program, stopped: Result<Result<(), E>, tokio::time::error::Elapsed>) {
    match stopped {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("picard: {} did not stop in order: {error}", program.name()),
        Err(_) => eprintln!("picard: {} was still busy after {} seconds", program.name(), PATIENCE.as_secs()),
    }
}

/// What both programs are started with.
struct Programs<'a> {
    secrets: Secrets,
    /// An earlier start has created the administrator and registered the web application.
    is_settled: bool,
    environment: &'a Environment,
    known: Known,
}

impl Programs<'_> {
    async fn start(mut self, cluster: Option<Cluster>, data_dir: PathBuf, lock: Lock) -> Result<House, Problem> {
        let administrator = Administrator::prepare(&data_dir, self.environment, self.secrets.is_registered())?;
        let config: picard_server::Config = self.config(Program::Server)?;
        let server = picard_server::start(config.clone()).await;
        let server = server.map_err(|error| Problem::from_error("start picard-server", &error))?;
        let password = match self.is_settled && !administrator.is_resumed() {
            true => None,
            false => administrator.settle(&config, &mut self.secrets, self.environment).await?,
        };
        let web = picard_web::start(self.config(Program::Web)?).await;
        let web = web.map_err(|error| Problem::from_error("start picard-web", &error))?;
        let ready = Ready {
            event: "ready",
            server_url: server.public_url().to_owned(),
            web_url: web.public_url().to_owned(),
            server_database_url: self.known.server_database_url,
            web_database_url: self.known.web_database_url,
            admin_username: administrator.username().to_owned(),
        };
        let first = (administrator, password);
        Ok(House { web: Some(web), server: Some(server), cluster, ready, first, data_dir, demo: None, _lock: lock })
    }

    /// The program's configuration: its env file, except where the person has set a variable that is still open.
    fn config<C: clap::Parser>(&self, program: Program) -> Result<C, Problem> {
        let file = match program {
            Program::Server => &self.secrets.server,
            Program::Web => &self.secrets.web,
        };
        let mut values = file.values();
        let is_open = |name: &str| self.environment.has(name) && !Secrets::is_decided(name);
        values.retain(|(name, value)| !value.is_empty() && !is_open(name));
        configure(program, &values)
    }
}
