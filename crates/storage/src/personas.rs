//! Personas. Who may see one is part of every statement.

use picard_crypto::{DataKey, TextBinding, open_text, seal_text};
use picard_domain::commands::{Once, PersonaDeleted};
use picard_domain::persona::{MOST_PERSONAS, Persona, PersonaInstructions, Temperature};
use picard_domain::{Error, PersonaId, Timestamp, UserId};
use uuid::Uuid;

use crate::Store;
use crate::error::storage_error;

struct PersonaRow {
    id: Uuid,
    user_id: Uuid,
    name: String,
    description: String,
    instructions: String,
    tags: Vec<String>,
    model: Option<String>,
    temperature: Option<f32>,
    top_n: i32,
    is_public: bool,
    created_at: time::OffsetDateTime,
    updated_at: time::OffsetDateTime,
    data_key: String,
}

/// Who answers a question.
#[derive(Debug, Clone)]
pub struct Answerer {
    /// Whose memories answer.
    pub owner: UserId,
    /// What the person is called who owns them.
    pub name: String,
    /// The persona; `None`: the person's default.
    pub persona: Option<Persona>,
}

impl Store {
    /// Stores a new persona; `None` when its owner has as many as one may have.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such owner (any more); [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn create_persona(&self, persona: &Persona, once: Option<&Once>) -> Result<Option<Persona>, Error> {
        let owner = persona.user_id;
        let key = self.data_key(owner).await?.ok_or(Error::NotFound)?;
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        if let Some(once) = once
            && let Some(before) = self.claim(&mut transaction, owner, &key, once).await?
        {
            return Ok(Some(before));
        }
        let stored = sqlx::query!(
            "INSERT INTO personas (id, user_id, name, description, instructions, tags, model, temperature, top_n, is_public, created_at, updated_at)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11 WHERE (SELECT count(*) FROM personas WHERE user_id = $2) < $12",
            persona.id.0,
            owner.0,
            persona.name.as_str(),
            persona.description.as_str(),
            seal_text(&key, &binding(persona.id.0, owner), persona.instructions.as_str(), self.now()),
            &persona.tags.to_words(),
            persona.model,
            persona.temperature.map(Temperature::get),
            i32::try_from(persona.top_n).unwrap_or(i32::MAX),
            persona.is_public,
            persona.created_at.as_offset_date_time(),
            MOST_PERSONAS as i64,
        )
        .execute(&mut *transaction)
        .await
        .map_err(storage_error)?;
        if stored.rows_affected() == 0 {
            return Ok(None);
        }
        if let Some(once) = once {
            self.remember(&mut transaction, owner, &key, once, persona).await?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(Some(persona.clone()))
    }

    /// Replaces what a persona of its owner says; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn update_persona(
        &self,
        owner: UserId,
        id: PersonaId,
        change: impl Fn(&mut Persona) + Send,
        once: Option<&Once>,
    ) -> Result<Option<Persona>, Error> {
        let Some(key) = self.data_key(owner).await? else { return Ok(None) };
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        if let Some(once) = once
            && let Some(before) = self.claim(&mut transaction, owner, &key, once).await?
        {
            return Ok(Some(before));
        }
        let row = sqlx::query_as!(
            PersonaRow,
            "SELECT p.id, p.user_id, p.name, p.description, p.instructions, p.tags, p.model, p.temperature, p.top_n, p.is_public, p.created_at, p.updated_at, u.data_key
             FROM personas p JOIN users u ON u.id = p.user_id WHERE p.id = $1 AND p.user_id = $2 FOR UPDATE OF p",
            id.0,
            owner.0,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(storage_error)?;
        let Some(row) = row else { return Ok(None) };
        let mut persona = self.persona_of(row, owner)?;
        change(&mut persona);
        let updated_at = sqlx::query_scalar!(
            "UPDATE personas SET name = $2, description = $3, instructions = $4, tags = $5, model = $6, temperature = $7, top_n = $8, is_public = $9, updated_at = now()
             WHERE id = $1 AND user_id = $10 RETURNING updated_at",
            id.0,
            persona.name.as_str(),
            persona.description.as_str(),
            seal_text(&key, &binding(id.0, owner), persona.instructions.as_str(), self.now()),
            &persona.tags.to_words(),
            persona.model,
            persona.temperature.map(Temperature::get),
            i32::try_from(persona.top_n).unwrap_or(i32::MAX),
            persona.is_public,
            owner.0,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(storage_error)?;
        persona.updated_at = updated_at.into();
        if let Some(once) = once {
            self.remember(&mut transaction, owner, &key, once, &persona).await?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(Some(persona))
    }

    /// Deletes a persona of its owner; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`]; as every statement.
    pub async fn delete_persona(
        &self,
        owner: UserId,
        id: PersonaId,
        once: Option<&Once>,
    ) -> Result<Option<PersonaDeleted>, Error> {
        let Some(key) = self.data_key(owner).await? else { return Ok(None) };
        let mut transaction = self.pool.begin().await.map_err(storage_error)?;
        if let Some(once) = once
            && let Some(before) = self.claim(&mut transaction, owner, &key, once).await?
        {
            return Ok(Some(before));
        }
        let gone = sqlx::query!("DELETE FROM personas WHERE id = $1 AND user_id = $2", id.0, owner.0)
            .execute(&mut *transaction)
            .await
            .map_err(storage_error)?;
        if gone.rows_affected() == 0 {
            return Ok(None);
        }
        let deleted = PersonaDeleted { id, deleted: true };
        if let Some(once) = once {
            self.remember(&mut transaction, owner, &key, once, &deleted).await?;
        }
        transaction.commit().await.map_err(storage_error)?;
        Ok(Some(deleted))
    }

    /// A page of the personas that the reader may see, the newest first: of one owner, or of everybody.
    ///
    /// # Errors
    /// As every statement.
    pub async fn personas(
        &self,
        reader: UserId,
        owner: Option<UserId>,
        query: Option<&str>,
        after: Option<(Timestamp, Uuid)>,
        limit: u32,
    ) -> Result<Vec<Persona>, Error> {
        let (moment, id) = after.map(|(moment, id)| (moment.as_offset_date_time(), id)).unzip();
        let rows = sqlx::query_as!(
            PersonaRow,
            "SELECT p.id, p.user_id, p.name, p.description, p.instructions, p.tags, p.model, p.temperature, p.top_n, p.is_public, p.created_at, p.updated_at, u.data_key
             FROM personas p JOIN users u ON u.id = p.user_id
             WHERE (p.user_id = $1 OR (p.is_public AND u.is_active
                    AND NOT EXISTS (SELECT 1 FROM persona_blocks b WHERE b.user_id = p.user_id AND b.asker_id = $1)))
               AND ($2::uuid IS NULL OR p.user_id = $2)
               AND ($3::text IS NULL OR position(lower($3) IN lower(p.name)) > 0 OR position(lower($3) IN lower(p.description)) > 0)
               AND ($4::timestamptz IS NULL OR (p.created_at, p.id) < ($4, $5::uuid))
             ORDER BY p.created_at DESC, p.id DESC LIMIT $6",
            reader.0,
            owner.map(|owner| owner.0),
            query,
            moment,
            id,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        rows.into_iter().map(|row| self.persona_of(row, reader)).collect()
    }

    /// Who answers as this persona; `None` when the asker may not ask it, or there is none: nobody can tell which.
    /// Its instructions are there whoever asks: they are for the model.
    ///
    /// # Errors
    /// As every statement.
    pub async fn answering_persona(&self, asker: UserId, id: PersonaId) -> Result<Option<Answerer>, Error> {
        let row = sqlx::query_as!(
            PersonaRow,
            "SELECT p.id, p.user_id, p.name, p.description, p.instructions, p.tags, p.model, p.temperature, p.top_n, p.is_public, p.created_at, p.updated_at, u.data_key
             FROM personas p JOIN users u ON u.id = p.user_id
             WHERE p.id = $2 AND (p.user_id = $1 OR (p.is_public AND u.is_active
                    AND NOT EXISTS (SELECT 1 FROM persona_blocks b WHERE b.user_id = p.user_id AND b.asker_id = $1)))",
            asker.0,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        let Some(row) = row else { return Ok(None) };
        let owner = UserId(row.user_id);
        let persona = self.persona_of(row, owner)?;
        Ok(Some(Answerer { owner, name: persona.name.as_str().to_owned(), persona: Some(persona) }))
    }

    /// Who answers as this person's default persona; `None` when there is nobody, or they do not answer the asker.
    ///
    /// # Errors
    /// As every statement.
    pub async fn answering_person(&self, asker: UserId, person: UserId) -> Result<Option<Answerer>, Error> {
        let name = sqlx::query_scalar!(
            // Who is not in the directory is not named either.
            r#"SELECT CASE WHEN u.is_listed OR u.id = $1 THEN coalesce(u.display_name, u.username) ELSE '' END AS "name!" FROM users u
             WHERE u.id = $2 AND u.is_active AND (u.id = $1 OR NOT EXISTS (SELECT 1 FROM persona_blocks b WHERE b.user_id = $2 AND b.asker_id = $1))"#,
            asker.0,
            person.0,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        Ok(name.map(|name| Answerer { owner: person, name, persona: None }))
    }

    /// Whether this owner has made anything public that has not expired.
    ///
    /// # Errors
    /// As every statement.
    pub async fn has_public(&self, owner: UserId) -> Result<bool, Error> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM memories WHERE user_id = $1 AND permission = 'public'
                              AND (expiration_date IS NULL OR expiration_date > now())) AS "has!""#,
            owner.0,
        )
        .fetch_one(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// The persona as this reader sees it: instructions are for its owner.
    fn persona_of(&self, row: PersonaRow, reader: UserId) -> Result<Persona, Error> {
        let owner = UserId(row.user_id);
        let instructions = if owner == reader {
            let key: std::sync::Arc<DataKey> = self.open_data_key(row.user_id, &row.data_key)?;
            open_text(&key, &binding(row.id, owner), &row.instructions).map_err(Error::internal)?
        } else {
            String::new()
        };
        let wrong = |_| Error::internal("a persona in the database is none");
        let tags: Result<Vec<_>, _> = row.tags.into_iter().map(TryInto::try_into).collect();
        Ok(Persona {
            id: PersonaId(row.id),
            user_id: owner,
            name: row.name.try_into().map_err(wrong)?,
            description: row.description.try_into().map_err(wrong)?,
            instructions: PersonaInstructions::try_from(instructions).map_err(wrong)?,
            tags: tags.and_then(TryInto::try_into).map_err(wrong)?,
            model: row.model,
            temperature: row.temperature.map(Temperature::try_from).transpose().map_err(wrong)?,
            top_n: u32::try_from(row.top_n).unwrap_or_default(),
            is_public: row.is_public,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

/// Instructions are bound to their persona, and never taken for a memory's text: those have versions from 1.
fn binding(persona: Uuid, owner: UserId) -> TextBinding {
    TextBinding { memory_id: *persona.as_bytes(), owner_id: *owner.0.as_bytes(), version: -1 }
}
