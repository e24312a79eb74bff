//! The log of acts: who did what, when, through which client and from where. Ids, never texts.

use picard_domain::{ClientId, Error, Timestamp, UserId};
use serde_json::Value;
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// An act to be kept.
#[derive(Debug, Clone, Default)]
pub struct NewAuditEvent<'a> {
    /// What happened, in one stable word.
    pub event: &'static str,
    /// Who acted, or for whom.
    pub user_id: Option<UserId>,
    /// The other account that it was done to.
    pub subject_id: Option<UserId>,
    /// Through which client.
    pub client_id: Option<ClientId>,
    /// From where.
    pub address: Option<&'a str>,
    /// What else there is to say, without texts and secrets.
    pub details: Value,
}

/// An act that was kept.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    /// The entry.
    pub id: Uuid,
    /// When.
    pub happened_at: Timestamp,
    /// What happened.
    pub event: String,
    /// Who acted, or for whom.
    pub user_id: Option<UserId>,
    /// The other account that it was done to.
    pub subject_id: Option<UserId>,
    /// Through which client.
    pub client_id: Option<ClientId>,
    /// From where.
    pub address: Option<String>,
    /// What else there is to say.
    pub details: Value,
}

/// Somebody read memories of somebody else, or wrote their own.
#[derive(Debug, Clone)]
pub struct MemoryAct {
    /// When.
    pub happened_at: Timestamp,
    /// What happened, in one stable word.
    pub event: &'static str,
    /// Who acted.
    pub person: UserId,
    /// Through which client.
    pub client: ClientId,
    /// Whose memories, when they are somebody else's.
    pub owner: Option<UserId>,
    /// Which memories, through which door, by doing what.
    pub details: Value,
}

/// Which acts are wanted. Everything that is given has to fit.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Acts of this person, or done to them.
    pub user_id: Option<UserId>,
    /// Acts through this client.
    pub client_id: Option<ClientId>,
    /// Acts of this kind.
    pub event: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

struct AuditRow {
    id: Uuid,
    happened_at: time::OffsetDateTime,
    event: String,
    user_id: Option<Uuid>,
    subject_id: Option<Uuid>,
    client_id: Option<Uuid>,
    address: Option<String>,
    details: Value,
}

impl From<AuditRow> for AuditEvent {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id,
            happened_at: row.happened_at.into(),
            event: row.event,
            user_id: row.user_id.map(UserId),
            subject_id: row.subject_id.map(UserId),
            client_id: row.client_id.map(ClientId),
            address: row.address,
            details: row.details,
        }
    }
}

impl Store {
    /// Keeps an act.
    ///
    /// # Errors
    /// As every statement.
    pub async fn record(&self, event: NewAuditEvent<'_>) -> Result<(), Error> {
        let details = if event.details.is_null() { Value::Object(serde_json::Map::new()) } else { event.details };
        sqlx::query!(
            "INSERT INTO audit_events (id, event, user_id, subject_id, client_id, address, details) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            Uuid::new_v4(),
            event.event,
            event.user_id.map(|id| id.0),
            event.subject_id.map(|id| id.0),
            event.client_id.map(|id| id.0),
            event.address,
            details,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Keeps what was done with memories.
    ///
    /// # Errors
    /// As every statement.
    pub async fn record_acts(&self, acts: &[MemoryAct]) -> Result<(), Error> {
        let ids: Vec<Uuid> = acts.iter().map(|_| Uuid::new_v4()).collect();
        let times: Vec<time::OffsetDateTime> = acts.iter().map(|act| act.happened_at.as_offset_date_time()).collect();
        let events: Vec<String> = acts.iter().map(|act| act.event.to_owned()).collect();
        let people: Vec<Uuid> = acts.iter().map(|act| act.person.0).collect();
        let owners: Vec<Option<Uuid>> = acts.iter().map(|act| act.owner.map(|id| id.0)).collect();
        let clients: Vec<Option<Uuid>> = acts.iter().map(|act| (!act.client.0.is_nil()).then_some(act.client.0)).collect();
        let details: Vec<Value> = acts.iter().map(|act| act.details.clone()).collect();
        sqlx::query!(
            "INSERT INTO audit_events (id, happened_at, event, user_id, subject_id, client_id, details)
             SELECT a.id, a.happened_at, a.event, a.person, a.owner, a.client, a.details
             FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::jsonb[])
                  AS a (id, happened_at, event, person, owner, client, details)",
            &ids,
            &times,
            &events,
            &people,
            &owners as &[Option<Uuid>],
            &clients as &[Option<Uuid>],
            &details,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// A page of acts, the newest first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn audit_events(
        &self,
        filter: &AuditFilter,
        after: Option<(Timestamp, Uuid)>,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, Error> {
        let (moment, id) = after.map(|(moment, id)| (moment.as_offset_date_time(), id)).unzip();
        sqlx::query_as!(
            AuditRow,
            "SELECT id, happened_at, event, user_id, subject_id, client_id, address, details FROM audit_events
             WHERE ($1::uuid IS NULL OR user_id = $1 OR subject_id = $1) AND ($2::uuid IS NULL OR client_id = $2)
               AND ($3::text IS NULL OR event = $3)
               AND ($4::timestamptz IS NULL OR happened_at >= $4) AND ($5::timestamptz IS NULL OR happened_at < $5)
               AND ($6::timestamptz IS NULL OR (happened_at, id) < ($6, $7::uuid))
             ORDER BY happened_at DESC, id DESC LIMIT $8",
            filter.user_id.map(|id| id.0) as _,
            filter.client_id.map(|id| id.0) as _,
            filter.event.as_deref() as _,
            filter.since.map(Timestamp::as_offset_date_time) as _,
            filter.until.map(Timestamp::as_offset_date_time) as _,
            moment,
            id,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map(|rows| rows.into_iter().map(AuditEvent::from).collect())
        .map_err(storage_error)
    }
}
