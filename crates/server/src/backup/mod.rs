//! `picard-server backup` and `restore`, around PostgreSQL's own `pg_dump` and `pg_restore`.
//!
//! A backup has no tokens, sessions, consents and signing keys: what ended after it was made cannot come back to life
//! when it is restored (FLT-27). Texts in it are as encrypted as in the database.

mod manifest;
mod restoring;
mod tools;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use picard_crypto::{ExposeSecret as _, KeyRing};
use picard_domain::{Clock, Error};
use picard_storage::DatabaseSettings;
use picard_storage::backup::{Maintenance, NOT_KEPT};

use crate::Config;
use crate::running::migrate;
use manifest::Manifest;
use tools::ToolOptions;

pub(crate) use restoring::{RestoreOptions, restore};

/// How long connections of servers that have just stopped may take to go.
const SERVERS_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    /// The file to write, or a folder in which it gets a name. Its manifest is written beside it, with .json at the end.
    target: PathBuf,

    #[command(flatten)]
    tools: ToolOptions,
}

/// Writes a backup while servers run. Nothing that is there is overwritten.
pub(crate) async fn backup(config: &Config, options: &BackupOptions) -> Result<(), String> {
    let keys = config.key_ring()?;
    let file = file_in(&options.target);
    let maintenance = connect(config).await?;
    let outcome = write(config, options, &file, (&maintenance, &keys)).await;
    maintenance.close().await;
    let manifest = outcome?;
    println!("{} was written: {} bytes, {} rows", file.display(), manifest.bytes, manifest.rows.values().sum::<i64>());
    println!(
        "Keep the keys elsewhere: without those of the fingerprints {} nobody reads it.",
        manifest.key_fingerprints.join(", ")
    );
    Ok(())
}

async fn write(
    config: &Config,
    options: &BackupOptions,
    file: &Path,
    (maintenance, keys): (&Maintenance, &KeyRing),
) -> Result<Manifest, String> {
    let mut output = manifest::create(file).await?;
    let dumped = async {
        manifest::refuse_existing(&manifest::beside(file))?;
        let mut snapshot = maintenance.snapshot().await.map_err(|error| explained(&error))?;
        let contents = snapshot.contents(keys).await.map_err(|error| explained(&error))?;
        // The moment is held while pg_dump reads it: so its rows are those that were counted.
        let dumped = tools::dump(&options.tools, &config.database_url, &snapshot.id, &mut output).await?;
        let manifest = Manifest::new(Clock::system().now(), contents, dumped, &NOT_KEPT);
        manifest.write(&manifest::beside(file)).await?;
        Ok::<_, String>(manifest)
    };
    let outcome = dumped.await;
    if outcome.is_err() {
        // A dump without a manifest is no backup, and would only be in the way of the next one.
        let _ = tokio::fs::remove_file(file).await;
    }
    outcome
}

/// The file itself, or one named after this moment in a folder.
fn file_in(target: &Path) -> PathBuf {
    if !target.is_dir() {
        return target.to_owned();
    }
    let now = Clock::system().now().to_string();
    let moment: String = now.chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    target.join(format!("picard-{moment}Z.dump"))
}

/// Ends every session and every connection of clients, after a database was put back by other means than `restore`.
pub(crate) async fn end_connections(config: &Config) -> Result<(), String> {
    migrate(config.database_url.expose_secret()).await.map_err(|error| error.to_string())?;
    let maintenance = connect(config).await?;
    let outcome = async {
        refuse_servers(&maintenance).await?;
        maintenance.end_all_connections().await.map_err(|error| explained(&error))
    };
    let outcome = outcome.await;
    maintenance.close().await;
    outcome?;
    println!("Every session and every connection has ended: people sign in and connect their applications anew.");
    Ok(())
}

async fn connect(config: &Config) -> Result<Maintenance, String> {
    let settings = DatabaseSettings { url: config.database_url.clone(), max_connections: 2 };
    Maintenance::connect(&settings).await.map_err(|error| explained(&error))
}

/// A server that runs remembers keys and goes on letting in whom it knows.
async fn refuse_servers(maintenance: &Maintenance) -> Result<(), String> {
    let began = tokio::time::Instant::now();
    loop {
        let count = maintenance.servers().await.map_err(|error| explained(&error))?;
        if count == 0 {
            return Ok(());
        }
        if began.elapsed() > SERVERS_PATIENCE {
            return Err(format!("servers are connected to the database ({count} connections): stop them first"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn explained(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}
