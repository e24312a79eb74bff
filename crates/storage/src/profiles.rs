//! People as they see themselves, and as others find them in the directory.

use std::collections::HashMap;

use picard_domain::{Email, Error, Timestamp, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::{storage_error, violated_constraint};

/// So many personas of each person stand in the directory.
const MOST_LISTED: usize = 20;

/// An account as its person sees it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub username: String,
    /// Their address.
    pub email: Option<String>,
    /// The name under which others see them.
    pub display_name: Option<String>,
    /// What they say about themselves.
    pub bio: Option<String>,
    /// Whether they may be found in the directory.
    pub is_listed: bool,
    /// Whether they administer the deployment.
    pub is_superuser: bool,
    /// The argon2id hash of their password; `None`: a client made the account, and nobody signs in to it.
    pub password_hash: Option<String>,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// What somebody changes of their profile; `None` leaves as it is, `Some(None)` empties.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// Their address.
    pub email: Option<Option<Email>>,
    /// The name under which others see them.
    pub display_name: Option<Option<String>>,
    /// What they say about themselves.
    pub bio: Option<Option<String>>,
    /// Whether they may be found in the directory.
    pub is_listed: Option<bool>,
}

/// Somebody in the directory.
#[derive(Debug, Clone)]
pub struct ListedPerson {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub username: String,
    /// The name under which others see them.
    pub display_name: Option<String>,
    /// Their personas that the reader may ask: id and name, the newest first, 20 at most.
    pub personas: Vec<(Uuid, String)>,
}

struct ProfileRow {
    id: Uuid,
    username: String,
    email: Option<String>,
    display_name: Option<String>,
    bio: Option<String>,
    is_listed: bool,
    is_superuser: bool,
    password_hash: Option<String>,
    created_at: time::OffsetDateTime,
}

impl From<ProfileRow> for Profile {
    fn from(row: ProfileRow) -> Self {
        Self {
            id: UserId(row.id),
            username: row.username,
            email: row.email,
            display_name: row.display_name,
            bio: row.bio,
            is_listed: row.is_listed,
            is_superuser: row.is_superuser,
            password_hash: row.password_hash,
            created_at: row.created_at.into(),
        }
    }
}

impl Store {
    /// A person's own account.
    ///
    /// # Errors
    /// As every statement.
    pub async fn profile(&self, id: UserId) -> Result<Option<Profile>, Error> {
        sqlx::query_as!(
            ProfileRow,
            "SELECT id, username, email, display_name, bio, is_listed, is_superuser, password_hash, created_at FROM users WHERE id = $1",
            id.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(Profile::from))
        .map_err(storage_error)
    }

    /// Changes a person's profile; `false` when the address is another account's, or
    /// another's name.
    ///
    /// # Errors
    /// As every statement.
    pub async fn change_profile(&self, id: UserId, change: &ProfileChange) -> Result<bool, Error> {
        let email = change.email.as_ref();
        let outcome = sqlx::query!(
            "UPDATE users SET updated_at = now(),
                 email = CASE WHEN $2 THEN $3 ELSE email END, email_key = CASE WHEN $2 THEN $4 ELSE email_key END,
                 display_name = CASE WHEN $5 THEN $6 ELSE display_name END, bio = CASE WHEN $7 THEN $8 ELSE bio END,
                 is_listed = coalesce($9, is_listed)
             WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM users o WHERE $2 AND o.username_key = $4 AND o.id <> $1)",
            id.0,
            email.is_some(),
            email.and_then(|email| email.as_ref()).map(Email::as_str) as _,
            email.and_then(|email| email.as_ref()).map(Email::key) as _,
            change.display_name.is_some(),
            change.display_name.clone().flatten() as _,
            change.bio.is_some(),
            change.bio.clone().flatten() as _,
            change.is_listed,
        )
        .execute(&self.pool)
        .await;
        match outcome {
            Ok(done) => Ok(done.rows_affected() == 1),
            Err(error) if violated_constraint(&error).is_some() => Ok(false),
            Err(error) => Err(storage_error(error)),
        }
    }

    /// Gives an account a new password, if it still has the old one, and ends every session and every token of it in
    /// the same transaction (REF-09); `false` when the old one was replaced meanwhile.
    ///
    /// # Errors
    /// As every statement.
    pub async fn change_password(&self, id: UserId, old_hash: &str, new_hash: &str) -> Result<bool, Error> {
        let changed = sqlx::query_scalar!(
            r#"WITH changed AS (
                   UPDATE users SET password_hash = $3, updated_at = now() WHERE id = $1 AND password_hash = $2 RETURNING id
               ), ended AS (
                   UPDATE grants SET revoked_at = now() WHERE user_id IN (SELECT id FROM changed) AND revoked_at IS NULL
               ), codes AS (
                   DELETE FROM authorization_codes WHERE user_id IN (SELECT id FROM changed) AND grant_id IS NULL
               ), signed_out AS (
                   DELETE FROM sessions WHERE user_id IN (SELECT id FROM changed)
               )
               SELECT count(*) AS "count!" FROM changed"#,
            id.0,
            old_hash,
            new_hash,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(changed == 1)
    }

    /// A page of the directory in the order of names: people who chose to be listed, and the reader themselves. The
    /// query is part of a name.
    ///
    /// # Errors
    /// As every statement.
    pub async fn directory(
        &self,
        reader: UserId,
        query: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, ListedPerson)>, Error> {
        let rows = sqlx::query!(
            r#"SELECT id, username, username_key, display_name
             FROM users
             WHERE (is_listed OR id = $1) AND is_active
               AND (strpos(username_key, $2) > 0 OR strpos(lower(coalesce(display_name, '')), $2) > 0)
               AND ($3::text IS NULL OR username_key > $3)
             ORDER BY username_key LIMIT $4"#,
            reader.0,
            query,
            after,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let people: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut personas = self.personas_to_ask(reader, &people).await?;
        let listed = rows.into_iter().map(|row| {
            let personas = personas.remove(&row.id).unwrap_or_default();
            let person = ListedPerson { id: UserId(row.id), username: row.username, display_name: row.display_name, personas };
            (row.username_key, person)
        });
        Ok(listed.collect())
    }
    /// The newest personas of each of these people that the reader may ask.
    async fn personas_to_ask(&self, reader: UserId, people: &[Uuid]) -> Result<HashMap<Uuid, Vec<(Uuid, String)>>, Error> {
        if people.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = sqlx::query!(
            "SELECT p.user_id, p.id, p.name FROM personas p
             WHERE p.user_id = ANY ($2) AND (p.is_public OR p.user_id = $1)
               AND NOT EXISTS (SELECT 1 FROM persona_blocks b WHERE b.user_id = p.user_id AND b.asker_id = $1)
             ORDER BY p.created_at DESC, p.id DESC",
            reader.0,
            people,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let mut personas: HashMap<Uuid, Vec<(Uuid, String)>> = HashMap::new();
        for row in rows {
            let of_one = personas.entry(row.user_id).or_default();
            if of_one.len() < MOST_LISTED {
                of_one.push((row.id, row.name));
            }
        }
        Ok(personas)
    }
}
