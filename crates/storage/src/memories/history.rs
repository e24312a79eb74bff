//! What memories were.

use picard_crypto::open_text;
use picard_domain::commands::Version;
use picard_domain::memory::{Category, Tag, Tags};
use picard_domain::{ClientId, Error, MemoryId, MemoryText, Permission, Timestamp, UserId};
use uuid::Uuid;

use super::binding;
use crate::Store;
use crate::error::storage_error;

/// What a memory was at one version, to be restored.
#[derive(Debug, Clone)]
pub struct FormerMemory {
    /// What it said.
    pub text: MemoryText,
    /// Who could see it.
    pub permission: Permission,
    /// Its labels.
    pub tags: Tags,
    /// Its category.
    pub category: Option<Category>,
    /// When it was to stop being shown.
    pub expiration_date: Option<Timestamp>,
}

struct VersionRow {
    version: i64,
    ciphertext: String,
    text_version: i64,
    permission: String,
    tags: Vec<String>,
    category: Option<String>,
    expiration_date: Option<time::OffsetDateTime>,
    client_id: Option<Uuid>,
    changed_at: time::OffsetDateTime,
}

impl Store {
    /// A page of the versions of a memory of this owner, the newest first, beginning with the present one; empty when
    /// the owner has no such memory. A version that cannot be decrypted is left out.
    ///
    /// # Errors
    /// As every statement.
    pub async fn memory_versions(
        &self,
        owner: UserId,
        id: MemoryId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Version>, Error> {
        let rows = sqlx::query_as!(
            VersionRow,
            r#"SELECT version AS "version!", ciphertext AS "ciphertext!", text_version AS "text_version!", permission AS "permission!",
                      tags AS "tags!", category, expiration_date, client_id, changed_at AS "changed_at!"
               FROM (SELECT version, ciphertext, text_version, permission, tags, category, expiration_date, client_id, updated_at AS changed_at
                     FROM memories WHERE id = $1 AND user_id = $2
                     UNION ALL
                     SELECT version, ciphertext, text_version, permission, tags, category, expiration_date, client_id, changed_at
                     FROM memory_versions WHERE memory_id = $1 AND user_id = $2) AS v
               WHERE $3::bigint IS NULL OR version < $3
               ORDER BY version DESC LIMIT $4"#,
            id.0,
            owner.0,
            before,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)?;
        let Some(key) = self.data_key(owner).await? else {
            return Ok(Vec::new());
        };
        let open = |row: VersionRow| {
            let text = open_text(&key, &binding(id.0, owner.0, row.text_version), &row.ciphertext);
            let text = text.inspect_err(|error| {
                tracing::error!(event = "decryption_failed", memory.id = %id, version = row.version, cause = %error, "A version cannot be decrypted.");
            });
            Some(Version {
                version: row.version,
                text: text.ok()?,
                permission: Permission::from_word(&row.permission).unwrap_or_default(),
                changed_at: row.changed_at.into(),
                client_id: row.client_id.map(ClientId),
            })
        };
        Ok(rows.into_iter().filter_map(open).collect())
    }

    /// What a memory of this owner was at a version, the present one included.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be decrypted; as every statement.
    pub async fn former_memory(&self, owner: UserId, id: MemoryId, version: i64) -> Result<Option<FormerMemory>, Error> {
        let row = sqlx::query_as!(
            VersionRow,
            r#"SELECT version AS "version!", ciphertext AS "ciphertext!", text_version AS "text_version!", permission AS "permission!",
                      tags AS "tags!", category, expiration_date, client_id, changed_at AS "changed_at!"
               FROM (SELECT version, ciphertext, text_version, permission, tags, category, expiration_date, client_id, updated_at AS changed_at
                     FROM memories WHERE id = $1 AND user_id = $2
                     UNION ALL
                     SELECT version, ciphertext, text_version, permission, tags, category, expiration_date, client_id, changed_at
                     FROM memory_versions WHERE memory_id = $1 AND user_id = $2) AS v
               WHERE version = $3"#,
            id.0,
            owner.0,
            version,
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(storage_error)?;
        let (Some(row), Some(key)) = (row, self.data_key(owner).await?) else {
            return Ok(None);
        };
        let text = open_text(&key, &binding(id.0, owner.0, row.text_version), &row.ciphertext).map_err(Error::internal)?;
        // What was stored had been checked.
        let tags = row.tags.into_iter().map(Tag::try_from).collect::<Result<Vec<_>, _>>().map_err(Error::internal)?;
        Ok(Some(FormerMemory {
            text: MemoryText::try_from(text).map_err(Error::internal)?,
            permission: Permission::from_word(&row.permission).unwrap_or_default(),
            tags: Tags::try_from(tags).map_err(Error::internal)?,
            category: row.category.map(Category::try_from).transpose().map_err(Error::internal)?,
            expiration_date: row.expiration_date.map(Timestamp::from),
        }))
    }
}
