//! Everything that runs, from the database up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all, select_all, try_join_all};
use picard_server::RunningServer;
use picard_web::RunningWeb;

use super::administrator::Administrator;
use super::ready::Ready;
use super::round_robin::RoundRobin;
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

/// Where each of several replicas listens: on any free port of this machine.
const ANY_PORT: &str = "127.0.0.1:0";
/// Where the proxy in front of replicas comes from.
const PROXY: &str = "127.0.0.1";

/// The running parts. The order of the fields is the order in which they end.
pub(super) struct House {
    /// The proxies in front of the replicas; none without replicas.
    _proxies: Vec<RoundRobin>,
    webs: Vec<RunningWeb>,
    servers: Vec<RunningServer>,
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
        let programs = Programs { secrets, is_settled, environment, known, replicas: arguments.replicas };
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
        let server = first(self.servers.iter_mut().map(RunningServer::wait).collect());
        let web = first(self.webs.iter_mut().map(RunningWeb::wait).collect());
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
        let webs = std::mem::take(&mut self.webs).into_iter();
        for stopped in join_all(webs.map(|web| tokio::time::timeout(PATIENCE, web.stop()))).await {
            note(Program::Web, stopped);
        }
        let servers = std::mem::take(&mut self.servers).into_iter();
        for stopped in join_all(servers.map(|server| tokio::time::timeout(PATIENCE, server.stop()))).await {
            note(Program::Server, stopped);
        }
    }
}

/// Resolves with the first of them; never when there is none.
async fn first(waits: Vec<BoxFuture<'_, ()>>) {
    if waits.is_empty() {
        std::future::pending::<()>().await;
    } else {
        select_all(waits).await;
    }
}

fn note<E: std::error::Error>(program: Program, stopped: Result<Result<(), E>, tokio::time::error::Elapsed>) {
    match stopped {
        Ok(Ok(())) => {}
        Ok(Err(error)) => eprintln!("picard: {} did not stop in order: {error}", program.name()),
        Err(_) => eprintln!("picard: {} was still busy after {} seconds", program.name(), PATIENCE.as_secs()),
    }
}

/// A variable that a replica has instead of the one in the env file, and its value.
type Setting = (&'static str, String);

/// What both programs are started with.
struct Programs<'a> {
    secrets: Secrets,
    /// An earlier start has created the administrator and registered the web application.
    is_settled: bool,
    environment: &'a Environment,
    known: Known,
    /// How many there are of each program.
    replicas: u8,
}

impl Programs<'_> {
    async fn start(mut self, cluster: Option<Cluster>, data_dir: PathBuf, lock: Lock) -> Result<House, Problem> {
        let administrator = Administrator::prepare(&data_dir, self.environment, self.secrets.is_registered())?;
        let mut proxies = Vec::new();
        let servers = self.servers(&mut proxies).await?;
        let config: picard_server::Config = self.config(Program::Server, &[])?;
        let password = match self.is_settled && !administrator.is_resumed() {
            true => None,
            false => administrator.settle(&config, &mut self.secrets, self.environment).await?,
        };
        self.follow_web_address(&config).await?;
        let webs = self.webs(&mut proxies).await?;
        let ready = Ready {
            event: "ready",
            server_url: servers.first().map(|server| server.public_url().to_owned()).unwrap_or_default(),
            web_url: webs.first().map(|web| web.public_url().to_owned()).unwrap_or_default(),
            server_database_url: self.known.server_database_url,
            web_database_url: self.known.web_database_url,
            admin_username: administrator.username().to_owned(),
        };
        let first = (administrator, password);
        Ok(House { _proxies: proxies, webs, servers, cluster, ready, first, data_dir, demo: None, _lock: lock })
    }

    /// The web application may have got another address since it was registered.
    async fn follow_web_address(&self, server: &picard_server::Config) -> Result<(), Problem> {
        let web = |name: &str| self.secrets.web.get(name);
        let (Some(client_id), Some(url)) = (web("CLIENT_ID"), web("WEB_PUBLIC_URL")) else { return Ok(()) };
        let callback = format!("{}{}", url.trim_end_matches('/'), picard_web::CALLBACK);
        let moved = picard_server::move_client(server, &client_id, &callback).await;
        moved.map(|_| ()).map_err(|error| Problem::from_error("tell the server where the web application is", &error))
    }

    /// The server; or its replicas, which start at the same time as they would on machines of their own (OPS-05).
    async fn servers(&self, proxies: &mut Vec<RoundRobin>) -> Result<Vec<RunningServer>, Problem> {
        if self.replicas <= 1 {
            return Ok(vec![self.server(Vec::new()).await?]);
        }
        let servers = try_join_all((0..self.replicas).map(|number| self.server(self.of_server(number)))).await?;
        let addresses = servers.iter().map(RunningServer::address).collect();
        proxies.push(RoundRobin::start(self.known.server_address, addresses).await?);
        Ok(servers)
    }

    async fn server(&self, instead: Vec<Setting>) -> Result<RunningServer, Problem> {
        let server = picard_server::start(self.config(Program::Server, &instead)?).await;
        server.map_err(|error| Problem::from_error("start picard-server", &error))
    }

    /// The web application, or its replicas.
    async fn webs(&self, proxies: &mut Vec<RoundRobin>) -> Result<Vec<RunningWeb>, Problem> {
        if self.replicas <= 1 {
            return Ok(vec![self.web(Vec::new()).await?]);
        }
        let of_web = || vec![("WEB_ADDR", ANY_PORT.to_owned()), ("TRUSTED_PROXIES", self.trusted())];
        let webs = try_join_all((0..self.replicas).map(|_| self.web(of_web()))).await?;
        let addresses = webs.iter().map(RunningWeb::address).collect();
        proxies.push(RoundRobin::start(self.known.web_address, addresses).await?);
        Ok(webs)
    }

    async fn web(&self, instead: Vec<Setting>) -> Result<RunningWeb, Problem> {
        let web = picard_web::start(self.config(Program::Web, &instead)?).await;
        web.map_err(|error| Problem::from_error("start picard-web", &error))
    }

    /// Whom a replica believes: the proxy in front of it, and whoever is named besides.
    fn trusted(&self) -> String {
        self.environment.get("TRUSTED_PROXIES").map_or_else(|| PROXY.to_owned(), |more| format!("{PROXY},{more}"))
    }

    /// What is different for a replica of the server: its address, whom it believes, and only one tells figures.
    fn of_server(&self, number: u8) -> Vec<Setting> {
        let mut instead = vec![("SERVER_ADDR", ANY_PORT.to_owned()), ("TRUSTED_PROXIES", self.trusted())];
        if number > 0 {
            instead.push(("METRICS_ADDR", "off".to_owned()));
        }
        instead
    }

    /// The program's configuration: its env file, except where the person has set a variable that is still open, or
    /// where something else is given instead.
    fn config<C: clap::Parser>(&self, program: Program, instead: &[Setting]) -> Result<C, Problem> {
        let file = match program {
            Program::Server => &self.secrets.server,
            Program::Web => &self.secrets.web,
        };
        let mut values = file.values();
        let is_open = |name: &str| self.environment.has(name) && !Secrets::is_decided(name);
        let is_replaced = |name: &str| instead.iter().any(|(other, _)| *other == name);
        values.retain(|(name, value)| !value.is_empty() && !is_open(name) && !is_replaced(name));
        values.extend(instead.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        configure(program, &values)
    }
}
