//! The graph index (HNSW) of public memories. An index needs vectors of one length, which depends on the model, so the
//! server makes it when it meets a new model; a write of a private memory never touches it.

use picard_domain::Error;

use crate::Store;
use crate::error::storage_error;

/// pgvector indexes half-precision vectors up to this length.
const MOST_DIMENSIONS: usize = 4_000;

/// The index for one model.
pub(crate) struct PublicIndex {
    /// The model's name as an SQL literal: an index with a condition is only used where the same literal stands.
    model: String,
    dimensions: usize,
}

impl PublicIndex {
    /// `None` for vectors that cannot be indexed.
    pub(crate) fn new(model: &str, dimensions: usize) -> Option<Self> {
        let is_plain = !model.contains(['\\', '\0']) && (1..=MOST_DIMENSIONS).contains(&dimensions);
        is_plain.then(|| Self { model: model.replace('\'', "''"), dimensions })
    }

    pub(crate) fn column(&self, table: &str) -> String {
        format!("({table}.embedding::halfvec({}))", self.dimensions)
    }

    pub(crate) fn condition(&self, table: &str) -> String {
        format!("{table}.is_public AND {table}.model = '{}'", self.model)
    }

    fn name(&self) -> String {
        let hash = picard_crypto::hash_token(&format!("{} {}", self.model, self.dimensions));
        let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("memory_embeddings_public_{digits}")
    }
}

impl Store {
    /// Makes the index of public memories for a model, if it is not there. One server makes it, the others go on
    /// without; until it is there, public memories are compared one by one.
    ///
    /// # Errors
    /// As every statement.
    pub async fn create_public_index(&self, model: &str, dimensions: usize) -> Result<(), Error> {
        let Some(index) = PublicIndex::new(model, dimensions) else {
            return Ok(());
        };
        let mut connection = self.pool.acquire().await.map_err(storage_error)?;
        let name = index.name();
        let lock: bool = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(hashtext($1)) AS "lock!""#, name)
            .fetch_one(&mut *connection)
            .await
            .map_err(storage_error)?;
        if !lock {
            return Ok(());
        }
        // Building it over many memories takes longer than a statement may. An index whose building was interrupted is
        // there but not used: it is made again.
        let statements = [
            "SET statement_timeout = 0".to_owned(),
            "SET lock_timeout = 0".to_owned(),
            format!(
                "DO $$ BEGIN IF EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('{name}') AND NOT indisvalid) THEN DROP INDEX {name}; END IF; END $$"
            ),
            format!(
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON memory_embeddings USING hnsw ({column} halfvec_cosine_ops) WHERE {condition}",
                column = index.column("memory_embeddings"),
                condition = index.condition("memory_embeddings"),
            ),
        ];
        let mut made = Ok(());
        for statement in statements {
            if made.is_ok() {
                made = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await.map(|_| ());
            }
        }
        // The settings and the lock end with the connection.
        connection.close().await.map_err(storage_error)?;
        made.map_err(storage_error)
    }
}
