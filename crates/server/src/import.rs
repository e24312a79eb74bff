//! `picard-server import`: memories from a file, through the same path as everyone else's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use picard_app::{App, EmbeddingWorker, ImportMemory, Imported, arguments, json};
use picard_crypto::ExposeSecret;
use picard_domain::{Caller, Error};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::running::{application, migrate};

/// How many rows are stored at the same time.
const PARALLEL: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct ImportOptions {
    /// The file: one JSON object a line with at least `text`; also permission, tags, category, expiration_date, created_at, id.
    file: PathBuf,

    /// The name of the person whose memories they become.
    #[arg(long)]
    user: String,
}

#[derive(Default)]
struct Counts {
    stored: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
}

/// Imports a file; every row that cannot be stored is named with its line.
pub(crate) async fn import(config: &Config, options: &ImportOptions) -> Result<(), String> {
    migrate(config.database_url.expose_secret()).await.map_err(|error| error.to_string())?;
    let app = application(config, config.public_url.clone().unwrap_or_default()).await.map_err(|error| error.to_string())?;
    let caller = app.local_caller(&options.user).await.map_err(|error| error.to_string())?.ok_or_else(|| {
        format!("there is nobody named {}: accounts are made when a person connects for the first time", options.user)
    })?;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(EmbeddingWorker::new(app.clone()).run(stop.clone()));
    let outcome = run(&app, &caller, &options.file).await;
    stop.cancel();
    let ended = worker.await;
    app.close().await;
    ended.map_err(|error| format!("the embedding worker failed: {error}"))?;
    outcome
}

async fn run(app: &App, caller: &Caller, file: &Path) -> Result<(), String> {
    let total = count_lines(file).await?;
    let bar = progress(total, "storing");
    let counts = Counts::default();
    let reader = BufReader::new(open(file).await?);
    let lines = stream::unfold((reader.split(b'\n'), 0_u64), |(mut lines, number)| async move {
        let line = lines.next_segment().await.transpose()?;
        Some(((number + 1, line), (lines, number + 1)))
    });
    lines
        .for_each_concurrent(PARALLEL, |(number, line)| {
            let (bar, counts) = (&bar, &counts);
            async move {
                match line.map_err(|error| error.to_string()) {
                    Ok(line) if line.trim_ascii().is_empty() => {}
                    Ok(line) => count(counts, number, import_line(app, caller, &line).await),
                    Err(error) => count(counts, number, Err(error)),
                }
                bar.inc(1);
            }
        })
        .await;
    bar.finish();
    wait_for_embeddings(app).await;
    let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!("{} stored, {} there already, {} failed", number(&counts.stored), number(&counts.skipped), number(&counts.failed));
    if number(&counts.failed) > 0 { Err("some rows were not stored; the lines above say why".to_owned()) } else { Ok(()) }
}

async fn import_line(app: &App, caller: &Caller, line: &[u8]) -> Result<Imported, String> {
    let value = json::parse(line).map_err(|error| error.to_string())?;
    let row: ImportMemory = arguments::parse(value).map_err(|error| error.to_string())?;
    app.import_memory(caller, row).await.map_err(|error: Error| error.to_string())
}

fn count(counts: &Counts, line: u64, outcome: Result<Imported, String>) {
    let counter = match outcome {
        Ok(Imported::Stored(_)) => &counts.stored,
        Ok(Imported::Skipped(_)) => &counts.skipped,
        Err(message) => {
            eprintln!("line {line}: {message}");
            &counts.failed
        }
    };
    counter.fetch_add(1, Ordering::Relaxed);
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

async fn open(file: &Path) -> Result<tokio::fs::File, String> {
    tokio::fs::File::open(file).await.map_err(|error| format!("{} cannot be read: {error}", file.display()))
}

async fn count_lines(file: &Path) -> Result<u64, String> {
    let mut lines = BufReader::new(open(file).await?).split(b'\n');
    let mut count = 0;
    while let Some(_line) = lines.next_segment().await.map_err(|error| format!("{} cannot be read: {error}", file.display()))? {
        count += 1;
    }
    Ok(count)
}
