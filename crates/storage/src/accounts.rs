//! People's accounts.

use std::sync::Arc;

use picard_crypto::DataKey;
use picard_domain::{ClientId, Email, Error, UserId, Username};
use uuid::Uuid;

use crate::Store;
use crate::error::{storage_error, violated_constraint};

/// An account as the rules need it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub username: String,
    /// The argon2id hash of their password, where they have one.
    pub password_hash: Option<String>,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether the person administers the deployment.
    pub is_superuser: bool,
    /// The client that made the account.
    pub client_id: Option<ClientId>,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The person.
    pub id: UserId,
    /// Their name.
    pub username: Username,
    /// Their address.
    pub email: Option<Email>,
    /// The argon2id hash of their password.
    pub password_hash: Option<String>,
    /// Whether the person administers the deployment.
    pub is_superuser: bool,
    /// The client that makes the account.
    pub client_id: Option<ClientId>,
}

struct AccountRow {
    id: Uuid,
    username: String,
    password_hash: Option<String>,
    is_active: bool,
    is_superuser: bool,
    client_id: Option<Uuid>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            id: UserId(row.id),
            username: row.username,
            password_hash: row.password_hash,
            is_active: row.is_active,
            is_superuser: row.is_superuser,
            client_id: row.client_id.map(ClientId),
        }
    }
}

impl Store {
    /// Makes an account with a data key of its own; `false` when the name or the address is taken. One can sign in with
    /// either, so nobody's name may be somebody else's address.
    ///
    /// # Errors
    /// As every statement: the database is away, or a bug.
    pub async fn create_account(&self, account: &NewAccount) -> Result<bool, Error> {
        let data_key = DataKey::generate().wrap(&self.keys, *account.id.0.as_bytes(), self.now());
        let outcome = sqlx::query!(
            "INSERT INTO users (id, username, username_key, email, email_key, password_hash, is_superuser, client_id, data_key, key_fingerprint)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
             WHERE NOT EXISTS (SELECT 1 FROM users WHERE email_key = $3 OR username_key = $5)",
            account.id.0,
            account.username.as_str(),
            account.username.key(),
            account.email.as_ref().map(Email::as_str),
            account.email.as_ref().map(Email::key),
            account.password_hash,
            account.is_superuser,
            account.client_id.map(|id| id.0),
            data_key,
            self.keys.newest().fingerprint(),
        )
        .execute(&self.pool)
        .await;
        match outcome {
            Ok(done) => Ok(done.rows_affected() == 1),
            Err(error) if violated_constraint(&error).is_some() => Ok(false),
            Err(error) => Err(storage_error(error)),
        }
    }

    /// Finds the account that has this folded name.
    ///
    /// # Errors
    /// As every statement.
    pub async fn account_by_username(&self, username_key: &str) -> Result<Option<Account>, Error> {
        sqlx::query_as!(
            AccountRow,
            "SELECT id, username, password_hash, is_active, is_superuser, client_id FROM users WHERE username_key = $1",
            username_key,
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(Account::from))
        .map_err(storage_error)
    }

    /// Finds the account that has this folded address.
    ///
    /// # Errors
    /// As every statement.
    pub async fn account_by_email(&self, email_key: &str) -> Result<Option<Account>, Error> {
        sqlx::query_as!(
            AccountRow,
            "SELECT id, username, password_hash, is_active, is_superuser, client_id FROM users WHERE email_key = $1",
            email_key,
        )
        .fetch_optional(&self.pool)
        .await
        .map(|row| row.map(Account::from))
        .map_err(storage_error)
    }

    /// The folded names and addresses of everybody who administers the deployment.
    ///
    /// # Errors
    /// As every statement.
    pub async fn superusers_names(&self) -> Result<Vec<String>, Error> {
        sqlx::query_scalar!(
            r#"SELECT n AS "n!" FROM users CROSS JOIN LATERAL (VALUES (username_key), (email_key)) AS names (n)
               WHERE is_superuser AND n IS NOT NULL"#
        )
        .fetch_all(&self.pool)
        .await
        .map_err(storage_error)
    }

    /// The client that made an account, if one did.
    ///
    /// # Errors
    /// As every statement.
    pub async fn account_maker(&self, id: UserId) -> Result<Option<ClientId>, Error> {
        sqlx::query_scalar!("SELECT client_id FROM users WHERE id = $1", id.0)
            .fetch_optional(&self.pool)
            .await
            .map(|row| row.flatten().map(ClientId))
            .map_err(storage_error)
    }

    /// Replaces a password hash, but only the one that was just verified.
    ///
    /// # Errors
    /// As every statement.
    pub async fn replace_password_hash(&self, id: UserId, old: &str, new: &str) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE users SET password_hash = $3, updated_at = now() WHERE id = $1 AND password_hash = $2",
            id.0,
            old,
            new,
        )
        .execute(&self.pool)
        .await
        .map(|_| ())
        .map_err(storage_error)
    }

    /// The key that opens a person's texts; `None` when there is no such person.
    pub(crate) async fn data_key(&self, id: UserId) -> Result<Option<Arc<DataKey>>, Error> {
        let wrapped = sqlx::query_scalar!("SELECT data_key FROM users WHERE id = $1", id.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(storage_error)?;
        wrapped.map(|wrapped| self.open_data_key(id.0, &wrapped)).transpose()
    }

    pub(crate) fn open_data_key(&self, owner: Uuid, wrapped: &str) -> Result<Arc<DataKey>, Error> {
        DataKey::unwrap(&self.keys, *owner.as_bytes(), wrapped).map(Arc::new).map_err(Error::internal)
    }
}
