//! What an operator does while servers run: a new master key, another embedding model.

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use picard_app::Reembedding;
use picard_crypto::ExposeSecret;
use picard_domain::Error;

use crate::Config;
use crate::running::{application, migrate, store};

/// How often a provider or a database that is away is tried again.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct ReembedOptions {
    /// Afterwards, delete the embeddings of all other models: when every server has been started with the new one.
    #[arg(long)]
    drop_others: bool,
}

/// Wraps every key anew, and says what remains.
pub(crate) async fn rotate_keys(config: &Config) -> Result<(), String> {
    migrate(config.database_url.expose_secret()).await.map_err(|error| error.to_string())?;
    let store = store(config).map_err(|error| error.to_string())?;
    let outcome = async {
        let deployment = store.rotate_deployment_keys().await?;
        let total = store.data_keys_to_rotate().await?;
        let bar = progress(total.unsigned_abs(), "wrapping");
        let mut people = 0;
        loop {
            match store.rotate_data_keys().await? {
                0 => break,
                count => people += count,
            }
            bar.set_position(people as u64);
        }
        bar.finish();
        Ok::<_, Error>((people, deployment, store.data_keys_to_rotate().await?))
    };
    let outcome = outcome.await.map_err(|error| explained(&error));
    store.close().await;
    let (people, deployment, remaining) = outcome?;
    println!(
        "{people} people's keys and {deployment} keys of the deployment were wrapped with the newest key; remaining: {remaining}"
    );
    if remaining > 0 {
        println!(
            "Somebody still writes with an older key: restart every server with the new ENCRYPTION_KEYS, then run this again."
        );
    }
    Ok(())
}

/// Embeds what has no embedding of the configured model.
pub(crate) async fn reembed(config: &Config, options: &ReembedOptions) -> Result<(), String> {
    migrate(config.database_url.expose_secret()).await.map_err(|error| error.to_string())?;
    let app = application(config, config.public_url.clone().unwrap_or_default()).await.map_err(|error| error.to_string())?;
    let mut work = Reembedding::new(app.clone());
    let outcome = run(&mut work, options).await.map_err(|error| explained(&error));
    app.close().await;
    outcome
}

async fn run(work: &mut Reembedding, options: &ReembedOptions) -> Result<(), Error> {
    let bar = progress(work.remaining().await?.unsigned_abs(), "embedding");
    loop {
        match work.step().await {
            Ok(true) => bar.set_position(work.done + work.failed),
            Ok(false) => break,
            Err(error @ Error::Unavailable { .. }) => {
                bar.println(format!("{} Trying again in {} s.", explained(&error), PATIENCE.as_secs()));
                tokio::time::sleep(PATIENCE).await;
            }
            Err(error) => return Err(error),
        }
    }
    bar.finish();
    println!("{} embedded, {} refused by the model; remaining: {}", work.done, work.failed, work.remaining().await?);
    if options.drop_others {
        println!("{} embeddings of other models deleted", work.drop_others().await?);
    }
    Ok(())
}

fn explained(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}

fn progress(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:>9} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}
