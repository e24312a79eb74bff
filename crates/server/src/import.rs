//! `picard-server import`: memories from a file, through the same path as everyone else's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use picard_app::{App, EmbeddingWorker, Import, ImportFormat, ImportId, ImportWorker};
use picard_crypto::ExposeSecret;
use picard_domain::commands::OnError;
use picard_domain::{Caller, Error};
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::running::{application, migrate};

#[derive(Debug, Args)]
pub(crate) struct ImportOptions {
    /// The file: memories as NDJSON, CSV or JSON, conversations.json of ChatGPT or Claude, or memory.json of the reference memory server.
    file: PathBuf,

    /// The name of the person whose memories they become.
    #[arg(long)]
    user: String,

    /// What the file looks like; by its name if nothing is said.
    #[arg(long, value_enum)]
    format: Option<FormatName>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    /// One JSON object a line.
    Ndjson,
    /// A JSON array, or objects one after the other.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// Imports a file; every row that cannot be stored is named with its number.
pub(crate) async fn import(config: &Config, options: &ImportOptions) -> Result<(), String> {
    migrate(config.database_url.expose_secret()).await.map_err(|error| error.to_string())?;
    let app = application(config, config.public_url.clone().unwrap_or_default()).await.map_err(|error| error.to_string())?;
    let caller = app.local_caller(&options.user).await.map_err(|error| error.to_string())?.ok_or_else(|| {
        format!("there is nobody named {}: accounts are made when a person connects for the first time", options.user)
    })?;
    let stop = CancellationToken::new();
    let workers = [
        tokio::spawn(EmbeddingWorker::new(app.clone()).run(stop.clone())),
        tokio::spawn(ImportWorker::new(app.clone()).run(stop.clone())),
    ];
    let outcome = run(&app, &caller, options).await;
    stop.cancel();
    for worker in workers {
        worker.await.map_err(|error| format!("a worker failed: {error}"))?;
    }
    app.close().await;
    outcome
}

async fn run(app: &App, caller: &Caller, options: &ImportOptions) -> Result<(), String> {
    let file =
        std::fs::File::open(&options.file).map_err(|error| format!("{} cannot be read: {error}", options.file.display()))?;
    let format = options.format.map_or_else(|| by_name(&options.file), of_name);
    let spinner = ProgressBar::new_spinner().with_message("reading");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let id =
        app.receive_import(caller, format, OnError::Continue, Box::new(file), None).await.map_err(|error| error.to_string())?;
    spinner.finish_and_clear();
    let import = finished(app, caller, id).await.map_err(|error| error.to_string())?;
    wait_for_embeddings(app).await;
    for error in &import.errors {
        let colon = if error.field.is_empty() { "" } else { ": " };
        eprintln!("line {}: {}{colon}{}", error.row, error.field, error.message);
    }
    println!("{} stored, {} there already, {} failed", import.done - import.skipped, import.skipped, import.failed);
    if import.failed > 0 { Err("some rows were not stored; the lines above say why".to_owned()) } else { Ok(()) }
}

fn of_name(name: FormatName) -> ImportFormat {
    match name {
        FormatName::Ndjson => ImportFormat::Ndjson,
        FormatName::Json => ImportFormat::Json,
        FormatName::Csv => ImportFormat::Csv,
    }
}

/// JSON is read as values one after the other, which lines are too: but a wrong line must not take the next with it.
fn by_name(file: &Path) -> ImportFormat {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => ImportFormat::Csv,
        Some("json") => ImportFormat::Json,
        _ => ImportFormat::Ndjson,
    }
}

async fn finished(app: &App, caller: &Caller, id: ImportId) -> Result<Import, Error> {
    let bar = progress(0, "storing");
    loop {
        let import = app.import(caller, id).await?;
        bar.set_length((import.total - import.failed).unsigned_abs());
        bar.set_position(import.done.unsigned_abs());
        if matches!(import.status.as_str(), "done" | "failed") {
            bar.finish();
            return Ok(import);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the worker has embedded everything, or makes no headway for half a minute.
async fn wait_for_embeddings(app: &App) {
    let Ok(backlog) = app.embedding_backlog().await else {
        return;
    };
    let bar = progress(backlog.unsigned_abs(), "embedding");
    let (mut last, mut still) = (backlog, 0);
    while last > 0 && still < 150 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let Ok(left) = app.embedding_backlog().await else {
            break;
        };
        still = if left < last { 0 } else { still + 1 };
        last = left;
        bar.set_position((backlog - left).unsigned_abs());
    }
    bar.finish();
    if last > 0 {
        eprintln!("{last} memories still wait for their embedding; a running server makes it.");
    }
}

fn progress(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:>9} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}
