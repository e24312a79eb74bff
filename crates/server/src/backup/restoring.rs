//! Putting a backup back.

use std::path::PathBuf;

use clap::Args;
use picard_crypto::ExposeSecret as _;
use picard_storage::backup::Maintenance;

use super::manifest::{self, Manifest};
use super::tools::{self, ToolOptions};
use super::{connect, explained, refuse_servers};
use crate::Config;
use crate::running::migrate;

#[derive(Debug, Args)]
pub(crate) struct RestoreOptions {
    /// The file that `backup` wrote, with its manifest beside it.
    file: PathBuf,

    /// Replaces what the database holds. Without it, only an empty database is filled.
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    tools: ToolOptions,
}

/// Restores a backup into the configured database, while no server runs. Everything is checked before anything changes.
pub(crate) async fn restore(config: &Config, options: &RestoreOptions) -> Result<(), String> {
    let keys = config.key_ring()?;
    let manifest = Manifest::read(&manifest::beside(&options.file)).await?;
    manifest.check(&keys)?;
    manifest.verify(&options.file).await?;
    let maintenance = connect(config).await?;
    let outcome = put_back(config, options, &manifest, &maintenance).await;
    maintenance.close().await;
    outcome?;
    tracing::info!(event = "restored", created_at = %manifest.created_at, "A backup was restored.");
    println!("The backup of {} was restored: {} rows", manifest.created_at, manifest.rows.values().sum::<i64>());
    println!(
        "Nobody is signed in and no application is connected: people sign in, agree and connect anew.\n\
         Everything else is as it was then: what was deleted, made private, blocked or given a new password since must be done again."
    );
    Ok(())
}

async fn put_back(
    config: &Config,
    options: &RestoreOptions,
    manifest: &Manifest,
    maintenance: &Maintenance,
) -> Result<(), String> {
    refuse_servers(maintenance).await?;
    let there = maintenance.rows().await.map_err(|error| explained(&error))?;
    if !there.is_empty() && !options.replace {
        return Err(format!(
            "the database holds {} tables already: name an empty one in DATABASE_URL, or replace everything with --replace",
            there.len()
        ));
    }
    tools::restore(&options.tools, &config.database_url, &options.file, !there.is_empty()).await?;
    let restored = maintenance.rows().await.map_err(|error| explained(&error))?;
    if restored != manifest.rows {
        return Err(
            "the restored rows are not those of the manifest: start no server on this database, and restore again".to_owned()
        );
    }
    migrate(config.database_url.expose_secret()).await.map_err(|error| error.to_string())?;
    // The dump has nothing of the kind; a file that was made otherwise might.
    maintenance.end_all_connections().await.map_err(|error| explained(&error))
}
