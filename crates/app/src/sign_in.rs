//! Signing in at the server's own pages, and proving with a password who one is.

use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_crypto::{ExposeSecret, SecretString, Verdict, hash_token, random_token};
use picard_domain::account::folded;
use picard_domain::{Error, UserId};
use picard_storage::accounts::Account;
use picard_storage::audit::NewAuditEvent;
use picard_storage::sessions::SignedIn;

use crate::App;

/// A session ends after this long, however much it is used.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(14 * 86_400);

/// A session that holds.
#[derive(Debug, Clone)]
pub struct Session {
    /// SHA-256 of the cookie.
    pub(crate) hash: [u8; 32],
    /// Who is signed in.
    pub person: SignedIn,
}

impl App {
    /// Signs somebody in by name or e-mail address and password, and makes a new session: one that was there before the
    /// sign-in is never used on (LOG-02).
    ///
    /// # Errors
    /// [`Error::Unauthorized`] for everything that does not fit, [`Error::RateLimited`], [`Error::Unavailable`] when too
    /// many passwords are being hashed.
    pub fn sign_in<'a>(
        &'a self,
        name: &'a str,
        password: SecretString,
        address: &'a str,
    ) -> BoxFuture<'a, Result<SecretString, Error>> {
        Box::pin(async move {
            let account = self.authenticate_person(name, password, address).await?;
            self.open_session(account.id, address).await
        })
    }

    /// Makes a session for somebody who has proved who they are.
    pub(crate) async fn open_session(&self, user_id: UserId, address: &str) -> Result<SecretString, Error> {
        let token = random_token();
        let expires_at = self.0.clock.after(SESSION_LIFETIME);
        self.0.store.create_session(&hash_token(token.expose_secret()), user_id, expires_at).await?;
        self.record(NewAuditEvent { event: "signed_in", user_id: Some(user_id), address: Some(address), ..Default::default() })
            .await?;
        tracing::info!(event = "signed_in", user.id = %user_id, "A person signed in.");
        Ok(token)
    }

    /// Who is signed in with this cookie.
    ///
    /// # Errors
    /// As every statement.
    pub fn session<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<Session>, Error>> {
        Box::pin(async move {
            let hash = hash_token(token);
            Ok(self.0.store.session(&hash).await?.map(|person| Session { hash, person }))
        })
    }

    /// Ends a session on the server: the cookie is worth nothing from then on.
    ///
    /// # Errors
    /// As every statement.
    pub fn sign_out<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.0.store.end_session(&session.hash).await?;
            tracing::info!(event = "signed_out", user.id = %session.person.user_id, "A person signed out.");
            Ok(())
        })
    }

    /// Who has this name or e-mail address and this password. Unknown names, accounts without a password and accounts
    /// that may not be used cost the same time and get the same answer as wrong passwords (LOG-05).
    pub(crate) async fn authenticate_person(&self, name: &str, password: SecretString, address: &str) -> Result<Account, Error> {
        let key = folded(name);
        let account = match self.0.store.account_by_username(&key).await? {
            Some(account) => Some(account),
            None => self.0.store.account_by_email(&key).await?,
        };
        // However it is spelt, it is one account.
        let counted = account.as_ref().map_or(key, |account| account.id.to_string());
        let stored = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let verdict = self.try_password(&counted, address, password.clone(), stored).await?;
        match account {
            Some(account) if verdict != Verdict::NoMatch && account.is_active => {
                self.rehash(&account, verdict, password).await?;
                Ok(account)
            }
            account => {
                let user_id = account.map(|account| account.id);
                self.record(NewAuditEvent { event: "sign_in_failed", user_id, address: Some(address), ..Default::default() })
                    .await?;
                tracing::warn!(event = "sign_in_failed", "A sign-in failed.");
                Err(Error::Unauthorized)
            }
        }
    }

    /// Replaces a hash of weaker parameters than today's.
    async fn rehash(&self, account: &Account, verdict: Verdict, password: SecretString) -> Result<(), Error> {
        if let (Verdict::MatchNeedsRehash, Some(old)) = (verdict, account.password_hash.as_deref()) {
            let hashed = self.0.passwords.hash(password).await;
            let new = hashed.map_err(|error| Error::unavailable("Signing in", error))?;
            self.0.store.replace_password_hash(account.id, old, &new).await?;
        }
        Ok(())
    }

    /// Keeps an act in the log that people and administrators read.
    pub(crate) async fn record(&self, event: NewAuditEvent<'_>) -> Result<(), Error> {
        self.0.store.record(event).await
    }
}
