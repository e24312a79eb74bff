//! What personas were asked, and who may not ask.

use picard_crypto::{TextBinding, open_text, seal_text};
use picard_domain::{Error, MemoryId, PersonaId, Timestamp, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// A question that was answered.
#[derive(Debug, Clone)]
pub struct NewQuestion<'a> {
    /// Whose memories answered.
    pub owner: UserId,
    /// As which persona; `None`: their default.
    pub persona_id: Option<PersonaId>,
    /// Who asked.
    pub asker: UserId,
    /// With which client.
    pub client_id: Uuid,
    /// What was asked; `None`: not kept.
    pub question: Option<&'a str>,
    /// How it was answered.
    pub mode: &'static str,
    /// By which model.
    pub model: &'a str,
    /// What the answer was made from.
    pub memory_ids: Vec<Uuid>,
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
}

/// Who asked, and what they are called, unless they have gone.
pub type Asker = (UserId, Option<String>);

/// A question as the owner of the memories sees it.
#[derive(Debug, Clone)]
pub struct Question {
    /// The question.
    pub id: Uuid,
    /// Which persona was asked; `None`: the default.
    pub persona_id: Option<PersonaId>,
    /// Who asked, and what they are called, unless they have gone.
    pub asker: Asker,
    /// When.
    pub asked_at: Timestamp,
    /// What; `None` where it is not kept.
    pub question: Option<String>,
    /// How it was answered.
    pub mode: String,
    /// By which model.
    pub model: String,
    /// From which memories.
    pub memory_ids: Vec<MemoryId>,
    /// Tokens of the prompt and of the answer.
    pub tokens: (i32, i32),
}

impl Store {
    /// Keeps a question for the owner of the memories.
    ///
    /// # Errors
    /// As every statement.
    pub async fn keep_question(&self, new: &NewQuestion<'_>) -> Result<(), Error> {
        let Some(key) = self.data_key(new.owner).await? else { return Ok(()) };
        let id = Uuid::new_v4();
        sqlx::query!(
            "INSERT INTO persona_questions (id, user_id, persona_id, asker_id, client_id, question, mode, model, memory_ids, input_tokens, output_tokens)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            id,
            new.owner.0,
            new.persona_id.map(|id| id.0),
            new.asker.0,
            new.client_id,
            new.question.map(|question| seal_text(&key, &binding(id, new.owner), question, self.now())),
            new.mode,
            new.model,
            &new.memory_ids,
            i32::try_from(new.input_tokens).unwrap_or(i32::MAX),
            i32::try_from(new.output_tokens).unwrap_or(i32::MAX),
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// A page of what was asked of this person's memories, the newest first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn questions(
        &self,
        owner: UserId,
        persona_id: Option<PersonaId>,
        after: Option<(Timestamp, Uuid)>,
        limit: u32,
    ) -> Result<Vec<Question>, Error> {
        let Some(key) = self.data_key(owner).await? else { return Ok(Vec::new()) };
        let (moment, id) = after.map(|(moment, id)| (moment.as_offset_date_time(), id)).unzip();
        let rows = sqlx::query!(
            r#"SELECT q.id, q.persona_id, q.asker_id, u.username AS "username?", q.asked_at, q.question, q.mode, q.model, q.memory_ids, q.input_tokens, q.output_tokens
               FROM persona_questions q LEFT JOIN users u ON u.id = q.asker_id
               WHERE q.user_id = $1 AND ($2::uuid IS NULL OR q.persona_id = $2)
                 AND ($3::timestamptz IS NULL OR (q.asked_at, q.id) < ($3, $4::uuid))
               ORDER BY q.asked_at DESC, q.id DESC LIMIT $5"#,
            owner.0,
            persona_id.map(|id| id.0),
            moment,
            id,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let question = |sealed: Option<String>, id: Uuid| {
            sealed.map(|sealed| open_text(&key, &binding(id, owner), &sealed)).transpose().map_err(Error::internal)
        };
        rows.into_iter()
            .map(|row| {
                Ok(Question {
                    id: row.id,
                    persona_id: row.persona_id.map(PersonaId),
                    asker: (UserId(row.asker_id), row.username),
                    asked_at: row.asked_at.into(),
                    question: question(row.question, row.id)?,
                    mode: row.mode,
                    model: row.model,
                    memory_ids: row.memory_ids.into_iter().map(MemoryId).collect(),
                    tokens: (row.input_tokens, row.output_tokens),
                })
            })
            .collect()
    }

    /// Has this person's questions answered no more, or again.
    ///
    /// # Errors
    /// As every statement.
    pub async fn block_asker(&self, owner: UserId, asker: UserId, is_blocked: bool) -> Result<(), Error> {
        if is_blocked {
            sqlx::query!(
                "INSERT INTO persona_blocks (user_id, asker_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                owner.0,
                asker.0
            )
            .execute(&self.pool)
            .await
        } else {
            sqlx::query!("DELETE FROM persona_blocks WHERE user_id = $1 AND asker_id = $2", owner.0, asker.0)
                .execute(&self.pool)
                .await
        }
        .map(|_| ())
        .map_err(storage_error)
    }

    /// How many answers a day this owner's memories give to others; `None`: any number.
    ///
    /// # Errors
    /// As every statement.
    pub async fn answers_a_day(&self, owner: UserId) -> Result<Option<u32>, Error> {
        let limit = sqlx::query_scalar!("SELECT answers_a_day FROM persona_limits WHERE user_id = $1", owner.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(storage_error)?;
        Ok(limit.and_then(|limit| u32::try_from(limit).ok()))
    }

    /// Sets how many answers a day this owner's memories give to others.
    ///
    /// # Errors
    /// As every statement.
    pub async fn set_answers_a_day(&self, owner: UserId, limit: Option<u32>) -> Result<(), Error> {
        match limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)) {
            Some(limit) => {
                sqlx::query!(
                    "INSERT INTO persona_limits (user_id, answers_a_day) VALUES ($1, $2)
                     ON CONFLICT (user_id) DO UPDATE SET answers_a_day = EXCLUDED.answers_a_day",
                    owner.0,
                    limit,
                )
                .execute(&self.pool)
                .await
            }
            None => sqlx::query!("DELETE FROM persona_limits WHERE user_id = $1", owner.0).execute(&self.pool).await,
        }
        .map(|_| ())
        .map_err(storage_error)
    }

    /// Whose questions are not answered, the last first, with what they are called unless they have gone.
    ///
    /// # Errors
    /// As every statement.
    pub async fn blocked_askers(&self, owner: UserId) -> Result<Vec<Asker>, Error> {
        sqlx::query!(
            r#"SELECT b.asker_id, u.username AS "username?" FROM persona_blocks b LEFT JOIN users u ON u.id = b.asker_id
               WHERE b.user_id = $1 ORDER BY b.created_at DESC, b.asker_id LIMIT 1000"#,
            owner.0
        )
        .fetch_all(&self.pool)
        .await
        .map(|rows| rows.into_iter().map(|row| (UserId(row.asker_id), row.username)).collect())
        .map_err(storage_error)
    }
}

/// Questions are bound to their row, and never taken for a memory's text: those have versions from 1.
fn binding(question: Uuid, owner: UserId) -> TextBinding {
    TextBinding { memory_id: *question.as_bytes(), owner_id: *owner.0.as_bytes(), version: -2 }
}
