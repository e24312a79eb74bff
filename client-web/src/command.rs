//! The command line of `picard-web`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use futures_util::future::BoxFuture;
use picard_crypto::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::env_file;
use crate::registration::{RegisterClient, Registration, register_client};
use crate::running;

/// The web application of Picard
#[derive(Debug, Parser)]
#[command(name = "picard-web", version, args_override_self = true)]
struct CommandLine {
    /// File with NAME=value lines, used where neither a flag nor the environment says otherwise [default: .env]
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    config: Config,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the application (the default)
    Serve,
    /// Bring the application's database to the current version and exit
    Migrate,
    /// Ask the application at WEB_ADDR on this machine whether it is ready, for the health check of a container
    Healthy,
    /// Register the application at the Picard server and write the credentials to the env file
    RegisterClient(Administrator),
}

#[derive(Debug, Args)]
struct Administrator {
    /// Username or e-mail address of an administrator of the Picard server
    #[arg(long, env = "ADMIN_USERNAME", default_value = "admin")]
    admin_username: String,

    /// The administrator's password; asked for on standard input if not set
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<String>,
}

/// Runs a command line, the program's name first; errors go to standard error.
pub fn run(arguments: Vec<OsString>) -> BoxFuture<'static, ExitCode> {
    Box::pin(async move {
        match execute(&arguments).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                if let Some(usage) = error.downcast_ref::<clap::Error>() {
                    let _ = usage.print();
                    return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
                }
                eprintln!("picard-web: {error:#}");
                ExitCode::FAILURE
            }
        }
    })
}

async fn execute(arguments: &[OsString]) -> anyhow::Result<()> {
    let env_file = env_file::named_in(arguments);
    let line = parse(arguments, env_file.as_ref())?;
    match line.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(line.config).await,
        Command::Migrate => {
            let Some(url) = &line.config.web_database_url else { bail!("WEB_DATABASE_URL is not set") };
            Ok(running::migrate(url.expose_secret()).await?)
        }
        Command::Healthy => healthy(&line.config.web_addr).await,
        Command::RegisterClient(administrator) => register(&line.config, administrator, env_file).await,
    }
}

/// Parses the command line with the env file's values as defaults: flags win over the environment, which wins
/// over the file. The process's environment itself is never changed.
fn parse(arguments: &[OsString], env_file: Option<&PathBuf>) -> anyhow::Result<CommandLine> {
    let variables = match env_file {
        Some(path) if path.is_file() => env_file::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        _ => HashMap::new(),
    };
    #[expect(clippy::disallowed_methods, reason = "clap reads the same variable")]
    let with_default = |argument: clap::Arg| {
        // A variable that is set to nothing is not set: compose files cannot leave one out.
        let is_empty = argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        let value = argument.get_env().and_then(|name| name.to_str()).and_then(|name| variables.get(name));
        match value {
            Some(value) if is_empty => argument.env(None).default_value(value.clone()).hide_default_value(true),
            Some(value) => argument.default_value(value.clone()).hide_default_value(true),
            None if is_empty => argument.env(None),
            None => argument,
        }
    };
    let command =
        CommandLine::command().mut_args(with_default).mut_subcommand("register-client", |command| command.mut_args(with_default));
    let matches = command.try_get_matches_from(arguments)?;
    Ok(CommandLine::from_arg_matches(&matches)?)
}

/// Asks the application that runs on this machine; one that listens everywhere is asked here.
#[expect(clippy::disallowed_methods, reason = "the one request of a program that ends after it, with a time limit")]
async fn healthy(address: &str) -> anyhow::Result<()> {
    let here = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let url = format!("http://{here}/health/readiness");
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
    let answer = client.get(&url).send().await.with_context(|| format!("no application answers at {url}"))?;
    if !answer.status().is_success() {
        bail!("{url} answers {}", answer.status());
    }
    Ok(())
}

async fn serve(config: Config) -> anyhow::Result<()> {
    crate::logging::start(config.log_format, &config.rust_log);
    let mut web = running::start(config).await?;
    tracing::info!(address = %web.address(), public_url = web.public_url(), "picard-web is ready");
    tokio::select! {
        () = web.wait() => bail!("the application stopped by itself; the log says why"),
        () = told_to_stop() => {}
    }
    tracing::info!("picard-web is stopping");
    Ok(web.stop().await?)
}

/// Resolves at Ctrl-C or when the process is asked to terminate.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn register(config: &Config, administrator: Administrator, env_file: Option<PathBuf>) -> anyhow::Result<()> {
    let password = match administrator.admin_password.filter(|password| !password.is_empty()) {
        Some(password) => password,
        None => ask_for_password()?,
    };
    let request = RegisterClient {
        server_url: config.server_url.clone(),
        admin_username: administrator.admin_username,
        admin_password: SecretString::from(password),
        web_public_url: config.expected_public_url()?,
        env_file: env_file.clone(),
    };
    report(&register_client(request).await?, env_file.as_ref());
    Ok(())
}

fn report(registration: &Registration, env_file: Option<&PathBuf>) {
    match (registration, env_file.map(|path| path.display())) {
        (Registration::AlreadyThere { client_id }, Some(path)) => {
            println!("{path} has the credentials of client {client_id}, which the server knows; nothing was changed");
        }
        (Registration::Moved { client_id }, _) => {
            println!("The server sends people of client {client_id} back to the new address from now on");
        }
        (Registration::Unchecked { client_id, why }, _) => {
            println!("The credentials of client {client_id} are there and were not checked: {why}");
        }
        (Registration::AlreadyThere { client_id }, None) => println!("CLIENT_ID={client_id}"),
        (Registration::Created { client_id, .. }, Some(path)) => {
            println!("Registered client {client_id}; CLIENT_ID and CLIENT_SECRET are in {path}");
        }
        (Registration::Created { client_id, client_secret }, None) => {
            println!("CLIENT_ID={client_id}\nCLIENT_SECRET={}", client_secret.expose_secret());
        }
    }
}

fn ask_for_password() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        eprint!("Password of the administrator (it will be shown): ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        bail!("no password; set ADMIN_PASSWORD or give it on standard input");
    }
    Ok(password)
}
