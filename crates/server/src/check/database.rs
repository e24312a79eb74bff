//! What the database has to say.

use std::time::Duration;

use picard_domain::{Clock, Error};
use picard_storage::inspection::{DatabaseFacts, SchemaState};
use picard_storage::{DatabaseSettings, Store};

use super::Findings;
use crate::Config;
use crate::running::{missing_key_problem, store};

/// How long the database has to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The oldest PostgreSQL that the schema works on.
const OLDEST_POSTGRES: i32 = 150_000;
/// The oldest pgvector without known damage to indexes.
const OLDEST_VECTOR: [u32; 3] = [0, 8, 4];
/// Clocks further apart than this, in milliseconds, make tokens end too early or too late.
const MOST_SKEW: i64 = 30_000;
/// Clocks further apart than this, in milliseconds, are not kept by anything.
const NOTICEABLE_SKEW: i64 = 2_000;
/// The connection that migrates, besides those of the pool.
const BESIDES_POOL: i64 = 1;

/// Asks the database about itself, and whether the keys open what is in it.
pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    examine_replica(config, findings).await;
    let settings = DatabaseSettings { max_connections: 1, ..config.database() };
    // What is no URL has been said among the settings.
    let Ok(address) = settings.address() else { return };
    if !address.is_local && !address.is_encrypted {
        findings.weakness(config, "DATABASE_URL: the way to the database may be readable; add ?sslmode=require or verify-full");
    }
    let clock = Clock::system();
    let Ok(answer) = tokio::time::timeout(PATIENCE, settings.inspect(&clock)).await else {
        return findings
            .problem(format!("DATABASE_URL: {address} does not answer; look for what is in the way, a firewall perhaps"));
    };
    match answer {
        Ok(facts) => {
            examine_server(config, &facts, findings);
            examine_connections(config, &facts, findings);
            examine_schema(&facts.schema, findings);
            if facts.schema.has_keys {
                examine_keys(config, findings).await;
            }
        }
        Err(error) => findings.problem(format!(
            "DATABASE_URL: {address} cannot be used{}; start it, and check user, password and database",
            cause(&error)
        )),
    }
}

/// A copy that is away costs nothing but time, and one that is none is never asked.
async fn examine_replica(config: &Config, findings: &mut Findings) {
    let Some(url) = config.replica() else { return };
    let settings = DatabaseSettings { url: url.clone(), max_connections: 1 };
    let Ok(address) = settings.address() else {
        return findings.problem("DATABASE_REPLICA_URL: must be a URL such as postgres://user:password@host:5432/database");
    };
    match tokio::time::timeout(PATIENCE, settings.inspect(&Clock::system())).await {
        Ok(Ok(facts)) if !facts.is_standby => {
            findings.problem("DATABASE_REPLICA_URL: names no streaming copy; name one of DATABASE_URL's server, or leave it out");
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => findings.warning(format!("DATABASE_REPLICA_URL: {address} cannot be used{}", cause(&error))),
        Err(_) => findings.warning(format!("DATABASE_REPLICA_URL: {address} does not answer")),
    }
}

fn cause(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(String::new, |cause| format!(" ({cause})"))
}

fn examine_server(config: &Config, facts: &DatabaseFacts, findings: &mut Findings) {
    if facts.version < OLDEST_POSTGRES {
        let major = facts.version / 10_000;
        findings.problem(format!("DATABASE_URL: names PostgreSQL {major}; 15 or later is needed"));
    }
    if facts.is_standby {
        findings.problem("DATABASE_URL: names a copy that only reads; name the primary");
    }
    if facts.is_superuser {
        findings.weakness(config, "DATABASE_URL: the role is a superuser; make one that owns this database and nothing else");
    }
    for setting in &facts.careless_settings {
        findings
            .weakness(config, format!("DATABASE_URL: {setting} is off there, so a crash loses what was acknowledged; set it on"));
    }
    match (&facts.vector_installed, &facts.vector_available) {
        (Some(version), _) if !is_new_enough(version) => findings.problem(format!(
            "DATABASE_URL: pgvector {version} is too old; install 0.8.4 or later there and run ALTER EXTENSION vector UPDATE"
        )),
        (None, Some(version)) if is_new_enough(version) => findings.warning(
            "DATABASE_URL: pgvector is not added to the database yet; migrate does it, or a superuser with CREATE EXTENSION vector",
        ),
        (None, _) => findings.problem("DATABASE_URL: that server has no pgvector; install 0.8.4 or later there"),
        (Some(_), _) => {}
    }
    let apart = facts.clock_ahead.abs();
    if apart > NOTICEABLE_SKEW {
        let text = format!("The clocks of this machine and of the database are {apart} ms apart; keep both with NTP");
        if apart > MOST_SKEW { findings.problem(text) } else { findings.warning(text) }
    }
}

/// Compares versions number by number; what is missing counts as 0.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let found = [(); 3].map(|()| numbers.next().unwrap_or(0));
    found >= OLDEST_VECTOR
}

fn examine_connections(config: &Config, facts: &DatabaseFacts, findings: &mut Findings) {
    let (pool, allowed) = (i64::from(config.database_max_connections), i64::from(facts.connections_allowed));
    if pool + BESIDES_POOL > allowed {
        findings.problem(format!(
            "DATABASE_MAX_CONNECTIONS: {pool} and one more to migrate do not fit into the {allowed} that the database allows"
        ));
    } else if pool + BESIDES_POOL + facts.connections_used > allowed {
        findings.warning(format!(
            "DATABASE_MAX_CONNECTIONS: {pool} do not fit beside the {} in use now; the database allows {allowed}",
            facts.connections_used
        ));
    }
}

fn examine_schema(schema: &SchemaState, findings: &mut Findings) {
    let mut say = |versions: &[i64], what: &str| {
        if !versions.is_empty() {
            let list = versions.iter().map(|version| format!("{version:04}")).collect::<Vec<_>>().join(", ");
            findings.problem(format!("The database's schema: {what} ({list})"));
        }
    };
    say(&schema.unknown, "is newer than this program; run the version that migrated it, or a later one");
    say(&schema.changed, "has migrations that differ from this program's; run the version that applied them");
    say(&schema.failed, "has a migration that was not finished; restore a backup, or finish it by hand");
    if !schema.pending.is_empty() {
        findings.warning(format!(
            "The database's schema: {} migrations are still to be applied; `picard-server migrate` and every start do it",
            schema.pending.len()
        ));
    }
}

async fn examine_keys(config: &Config, findings: &mut Findings) {
    let Ok(store) = store(config) else {
        // What is wrong with the keys has been said among the settings.
        return;
    };
    if let Err(error) = ask_for_keys(config, &store, findings).await {
        findings.problem(format!("ENCRYPTION_KEYS: the database does not say which keys it needs{}", cause(&error)));
    }
    store.close().await;
}

async fn ask_for_keys(config: &Config, store: &Store, findings: &mut Findings) -> Result<(), Error> {
    let missing = store.missing_keys().await?;
    let unopened = store.unopened_deployment_keys().await?;
    for key in &missing {
        findings.problem(missing_key_problem(key));
    }
    for name in &unopened {
        findings.problem(format!("ENCRYPTION_KEYS: no key opens {name}; add the key that was used before"));
    }
    let count = config.key_ring().map_or(0, |ring| ring.fingerprints().len());
    if !missing.is_empty() || !unopened.is_empty() || count < 2 {
        return Ok(());
    }
    match store.data_keys_to_rotate().await? {
        0 => findings.warning(format!(
            "ENCRYPTION_KEYS: lists {count} keys and people need only the first; run `picard-server rotate-keys`, then remove the others"
        )),
        people => findings.warning(format!(
            "ENCRYPTION_KEYS: the keys of {people} people are wrapped with an older key; run `picard-server rotate-keys`"
        )),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, expected) in
            [("0.8.4", true), ("0.8.5", true), ("0.10.0", true), ("1", true), ("0.8.3", false), ("0.8", false), ("", false)]
        {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }
}
