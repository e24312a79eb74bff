//! What one fault cost.

use std::fmt;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::kit::Person;
use crate::load::Written;

/// What one fault cost. What was left out has no writes and a note that says why.
#[derive(Debug, Default)]
pub struct Outcome {
    pub fault: &'static str,
    pub acknowledged: usize,
    pub lost: usize,
    pub duplicated: usize,
    /// The longest time from the end of the fault to the first success.
    pub recovery: Option<Duration>,
    /// The longest that a request took.
    pub slowest: Duration,
    pub note: String,
    pub wrong: Vec<String>,
}

impl Outcome {
    pub const HEADER: &'static str =
        "fault                                     acknowledged    lost  duplicated  recovery ms  slowest ms";

    pub fn left_out(fault: &'static str, note: &str) -> Self {
        Self { fault, note: note.to_owned(), ..Self::default() }
    }

    /// Compares what was acknowledged with what the database has of this person.
    pub async fn of(fault: &'static str, database_url: &str, person: &Person, written: Written) -> Self {
        let mut connection = PgConnection::connect(database_url).await.expect("the database is back");
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM memories WHERE id::text = ANY($1)")
            .bind(&written.ids)
            .fetch_one(&mut connection)
            .await
            .expect("a number");
        let all: i64 = sqlx::query_scalar("SELECT count(*) FROM memories WHERE user_id::text = $1")
            .bind(&person.user_id)
            .fetch_one(&mut connection)
            .await
            .expect("a number");
        let acknowledged = written.ids.len();
        Self {
            fault,
            acknowledged,
            lost: acknowledged - usize::try_from(kept).expect("a count"),
            // Every write is repeated under its key until it is acknowledged: what is there besides is there twice.
            duplicated: usize::try_from(all - kept).expect("a count"),
            slowest: written.slowest,
            wrong: written.wrong,
            ..Self::default()
        }
    }

    /// Notes how long it took after the fault, and complains when that is too long.
    pub fn recovered(mut self, recovery: Duration, limit: Duration) -> Self {
        if recovery > limit {
            self.wrong.push(format!("the first success came {recovery:?} after the fault instead of {limit:?}"));
        }
        self.recovery = Some(recovery);
        self
    }

    /// Everything that must not be.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = self.wrong.iter().map(|wrong| format!("{}: {wrong}", self.fault)).collect();
        if self.lost > 0 || self.duplicated > 0 {
            complaints.push(format!("{}: {} acknowledged writes lost, {} there twice", self.fault, self.lost, self.duplicated));
        }
        if self.acknowledged == 0 && self.note.is_empty() {
            complaints.push(format!("{}: nothing was written", self.fault));
        }
        complaints
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.note.is_empty() {
            return write!(f, "{:<42}{}", self.fault, self.note);
        }
        let recovery = self.recovery.map_or_else(|| "-".to_owned(), |recovery| recovery.as_millis().to_string());
        let Self { fault, acknowledged, lost, duplicated, slowest, .. } = self;
        write!(f, "{fault:<42}{acknowledged:>12}{lost:>8}{duplicated:>12}{recovery:>13}{:>12}", slowest.as_millis())
    }
}
