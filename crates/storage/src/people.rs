//! People as administrators see them: accounts, never texts.

use picard_domain::{Error, Timestamp, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

/// An account in a list.
#[derive(Debug, Clone)]
pub struct Person {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub username: String,
    /// Their address.
    pub email: Option<String>,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether the person administers the deployment.
    pub is_superuser: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// What a change of an account came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed<T> {
    /// It was done.
    Done(T),
    /// There is no such person.
    NotFound,
    /// It would leave the deployment without an administrator.
    LastSuperuser,
}

struct PersonRow {
    id: Uuid,
    username: String,
    email: Option<String>,
    is_active: bool,
    is_superuser: bool,
    created_at: time::OffsetDateTime,
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        Self {
            id: UserId(row.id),
            username: row.username,
            email: row.email,
            is_active: row.is_active,
            is_superuser: row.is_superuser,
            created_at: row.created_at.into(),
        }
    }
}

/// Two changes that each leave one administrator would together leave none, so they take turns.
const SUPERUSER_LOCK: i64 = 0x7069_6361_7264_0002;

impl Store {
    /// A page of all people, the newest first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn people(&self, after: Option<(Timestamp, Uuid)>, limit: u32) -> Result<Vec<Person>, Error> {
        let (moment, id) = after.map(|(moment, id)| (moment.as_offset_date_time(), id)).unzip();
        sqlx::query_as!(
            PersonRow,
            "SELECT id, username, email, is_active, is_superuser, created_at FROM users
             WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::uuid)
             ORDER BY created_at DESC, id DESC LIMIT $3",
            moment,
            id,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map(|rows| rows.into_iter().map(Person::from).collect())
        .map_err(storage_error)
    }

    /// One person.
    ///
    /// # Errors
    /// As every statement.
    pub async fn person(&self, id: UserId) -> Result<Option<Person>, Error> {
        sqlx::query_as!(
            PersonRow,
            "SELECT id, username, email, is_active, is_superuser, created_at FROM users WHERE id = $1",
            id.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(Person::from))
        .map_err(storage_error)
    }

    /// Changes whether an account may be used and whether its person is an administrator. Whoever is deactivated loses
    /// every token in the same transaction; the last active administrator stays one.
    ///
    /// # Errors
    /// As every statement.
    pub async fn change_person(
        &self,
        id: UserId,
        is_active: Option<bool>,
        is_superuser: Option<bool>,
    ) -> Result<Changed<Person>, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", SUPERUSER_LOCK)
            .fetch_one(&mut *transaction)
            .await
            .map_err(storage_error)?;
        let changed = sqlx::query_as!(
            PersonRow,
            "UPDATE users SET is_active = coalesce($2, is_active), is_superuser = coalesce($3, is_superuser), updated_at = now()
             WHERE id = $1 RETURNING id, username, email, is_active, is_superuser, created_at",
            id.0,
            is_active,
            is_superuser,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let Some(changed) = changed.map(Person::from) else { return Ok(Changed::NotFound) };
        if !superuser_is_left(&mut transaction).await? {
            return Ok(Changed::LastSuperuser);
        }
        if !changed.is_active {
            sqlx::query!(
                "WITH signed_out AS (DELETE FROM sessions WHERE user_id = $1),
                      codes AS (DELETE FROM authorization_codes WHERE user_id = $1 AND grant_id IS NULL)
                 UPDATE grants SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL",
                id.0,
            )
            .execute(&mut *transaction)
            .await
            .map_err(storage_error)?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(Changed::Done(changed))
    }

    /// Deletes a person with all that is theirs. Their data key goes with the row: the texts in backups stay unreadable
    /// without it.
    ///
    /// # Errors
    /// As every statement.
    pub async fn delete_person(&self, id: UserId) -> Result<Changed<()>, Error> {
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", SUPERUSER_LOCK)
            .fetch_one(&mut *transaction)
            .await
            .map_err(storage_error)?;
        let deleted =
            sqlx::query!("DELETE FROM users WHERE id = $1", id.0).execute(&mut *transaction).await.map_err(storage_error)?;
        if deleted.rows_affected() == 0 {
            return Ok(Changed::NotFound);
        }
        if !superuser_is_left(&mut transaction).await? {
            return Ok(Changed::LastSuperuser);
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(Changed::Done(()))
    }
}

/// What has no administrator can never get one again through the API.
async fn superuser_is_left(transaction: &mut sqlx::PgTransaction<'_>) -> Result<bool, Error> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser AND is_active) AS "is_left!""#)
        .fetch_one(&mut **transaction)
        .await
        .map_err(storage_error)
}
