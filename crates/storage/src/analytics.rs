//! Figures of one person's memories: counts, for themselves alone.

use picard_domain::{Error, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// How many there are of something that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The tag, the category or the month (`2026-01`, in UTC).
    pub name: String,
    /// How many.
    pub count: i64,
}

/// Figures of one person's memories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analytics {
    /// All of them.
    pub memories: i64,
    /// Those that everybody may see.
    pub public: i64,
    /// Those that are shared with people or groups.
    pub shared: i64,
    /// Those that are only counted.
    pub aggregate: i64,
    /// Those that are past their expiration date.
    pub expired: i64,
    /// Those that were written in each of the last twelve months in which any was, the newest first.
    pub months: Vec<Named>,
    /// The twenty most used tags.
    pub tags: Vec<Named>,
    /// The twenty most used categories.
    pub categories: Vec<Named>,
    /// What the person asked personas.
    pub asked: Vec<AnswerFigure>,
    /// What others asked of the person's memories, and the person too.
    pub given: Vec<AnswerFigure>,
}

/// Answers of one persona, by one client, in the last thirty days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFigure {
    /// The client that was asked with.
    pub client_id: Uuid,
    /// The persona; `None`: a person's default.
    pub persona_id: Option<Uuid>,
    /// How many answers.
    pub count: i64,
    /// Tokens of their prompts.
    pub input_tokens: i64,
    /// Their own tokens.
    pub output_tokens: i64,
}

impl Store {
    /// Counts a person's memories, at a copy of the database if it knows everything.
    ///
    /// # Errors
    /// As every statement.
    pub async fn analytics(&self, id: UserId) -> Result<Analytics, Error> {
        if let Some(mut replica) = self.current_replica().await?
            && let Some(found) = self.counted(count(&mut replica, id)).await?
        {
            return Ok(found);
        }
        count(&mut *self.pool.acquire().await.map_err(storage_error)?, id).await
    }
}

async fn count(connection: &mut PgConnection, id: UserId) -> Result<Analytics, Error> {
    let totals = sqlx::query!(
        r#"SELECT count(*) AS "memories!", count(*) FILTER (WHERE permission = 'public') AS "public!",
                      count(*) FILTER (WHERE permission = 'shared') AS "shared!",
                      count(*) FILTER (WHERE permission = 'aggregate') AS "aggregate!",
                      count(*) FILTER (WHERE expiration_date <= now()) AS "expired!"
               FROM memories WHERE user_id = $1"#,
        id.0,
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(storage_error)?;
    let months = sqlx::query_as!(
        Named,
        r#"SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM') AS "name!", count(*) AS "count!"
               FROM memories WHERE user_id = $1 GROUP BY 1 ORDER BY 1 DESC LIMIT 12"#,
        id.0,
    );
    let tags = sqlx::query_as!(
        Named,
        r#"SELECT t AS "name!", count(*) AS "count!" FROM memories CROSS JOIN LATERAL unnest(tags) AS t
               WHERE user_id = $1 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"#,
        id.0,
    );
    let categories = sqlx::query_as!(
        Named,
        r#"SELECT category AS "name!", count(*) AS "count!" FROM memories
               WHERE user_id = $1 AND category IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"#,
        id.0,
    );
    let asked = sqlx::query_as!(
        AnswerFigure,
        r#"SELECT client_id, persona_id, count(*) AS "count!", sum(input_tokens) AS "input_tokens!", sum(output_tokens) AS "output_tokens!"
           FROM persona_questions WHERE asker_id = $1 AND asked_at > now() - interval '30 days'
           GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20"#,
        id.0,
    );
    let given = sqlx::query_as!(
        AnswerFigure,
        r#"SELECT client_id, persona_id, count(*) AS "count!", sum(input_tokens) AS "input_tokens!", sum(output_tokens) AS "output_tokens!"
           FROM persona_questions WHERE user_id = $1 AND asked_at > now() - interval '30 days'
           GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20"#,
        id.0,
    );
    Ok(Analytics {
        asked: asked.fetch_all(&mut *connection).await.map_err(storage_error)?,
        given: given.fetch_all(&mut *connection).await.map_err(storage_error)?,
        memories: totals.memories,
        public: totals.public,
        shared: totals.shared,
        aggregate: totals.aggregate,
        expired: totals.expired,
        months: months.fetch_all(&mut *connection).await.map_err(storage_error)?,
        tags: tags.fetch_all(&mut *connection).await.map_err(storage_error)?,
        categories: categories.fetch_all(&mut *connection).await.map_err(storage_error)?,
    })
}
