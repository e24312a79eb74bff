//! The keys that sign access tokens, and how a new one takes over while several servers run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use picard_auth::access_token::{self, AccessTokenClaims, InvalidToken, Issuer};
use picard_auth::{KeySet, SigningKey};
use picard_crypto::hash_token;
use picard_domain::Error;
use picard_storage::Store;
use picard_storage::signing_keys::StoredSigningKey;
use serde_json::Value;

use crate::App;

/// How often every server looks for a new key. Until then it signs with the old one.
pub const RELOAD_EVERY: Duration = Duration::from_secs(30);
/// A token with an unknown key asks the database, but not more often than this.
const RELOAD_PAUSE: Duration = Duration::from_secs(1);
/// Added to the lifetime of the last token that the old key signs: the reload, and clocks that differ.
const MARGIN: Duration = Duration::from_secs(300);

/// For tokens of servers whose clocks are up to so many seconds ahead, the log says why they are refused.
const EARLY: i64 = 1_800;

/// The most tokens that are remembered as verified.
const MOST_VERIFIED: usize = 10_000;

/// The keys, and what they have verified: a client sends one token for an hour, and its signature does not change.
/// Both go when the keys are read again, so nothing is remembered of a key that has left.
pub(crate) struct Keys {
    pub(crate) set: KeySet,
    verified: Mutex<HashMap<[u8; 32], AccessTokenClaims>>,
}

impl Keys {
    fn new(set: KeySet) -> Self {
        Self { set, verified: Mutex::default() }
    }

    /// Verifies a token, or remembers that it was. Whether it has ended meanwhile is asked each time.
    fn verify(&self, issuer: &Issuer, token: &str, now: i64) -> Result<AccessTokenClaims, InvalidToken> {
        let hash = hash_token(token);
        let lock = || self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = lock().get(&hash) {
            return if claims.expires_at > now { Ok(claims.clone()) } else { Err(InvalidToken) };
        }
        let claims = access_token::verify(&self.set, issuer, token, now)?;
        let mut verified = lock();
        if verified.len() >= MOST_VERIFIED {
            verified.clear();
        }
        verified.insert(hash, claims.clone());
        Ok(claims)
    }
}

pub(crate) struct SigningKeys {
    current: RwLock<Arc<Keys>>,
    reloaded_at: Mutex<Option<Instant>>,
}

impl SigningKeys {
    /// Reads the keys; makes the first one if there is none.
    pub(crate) async fn load(store: &Store) -> Result<Self, Error> {
        if store.signing_keys().await?.is_empty() {
            // Another replica may be faster: what the table says counts.
            store.create_first_signing_key(&generate()?).await?;
        }
        Ok(Self { current: RwLock::new(Arc::new(Keys::new(read(store).await?))), reloaded_at: Mutex::new(None) })
    }

    pub(crate) fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn reload(&self, store: &Store) -> Result<(), Error> {
        let keys = Arc::new(Keys::new(read(store).await?));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Whether nobody has asked the database a moment ago; from now on, somebody has.
    fn may_reload(&self) -> bool {
        let mut at = self.reloaded_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = at.is_none_or(|at| at.elapsed() >= RELOAD_PAUSE);
        if may {
            *at = Some(Instant::now());
        }
        may
    }
}

impl App {
    /// Makes a key that signs from now on; the one before verifies until its last token has expired. Servers that run
    /// sign with it after [`RELOAD_EVERY`] at the latest, and know it at once. Gives back the new key's name.
    ///
    /// # Errors
    /// As every statement.
    pub fn rotate_signing_key(&self) -> BoxFuture<'_, Result<String, Error>> {
        Box::pin(async move {
            let new = generate()?;
            let until = self.0.clock.after(access_token::LIFETIME + MARGIN);
            self.0.store.rotate_signing_key(&new, until).await?;
            self.reload_signing_keys().await?;
            tracing::info!(event = "signing_key_rotated", kid = new.kid, "A new key signs access tokens.");
            Ok(new.kid)
        })
    }

    /// Reads the signing keys again.
    ///
    /// # Errors
    /// As every statement.
    pub fn reload_signing_keys(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move { self.0.signing_keys.reload(&self.0.store).await })
    }

    /// The public halves of the keys that sign access tokens (RFC 7517), as the database has them: whoever caches them
    /// must know a new key before its first token comes. With the database away, as they were last.
    pub fn jwks(&self) -> BoxFuture<'_, Value> {
        Box::pin(async move {
            if self.0.signing_keys.may_reload()
                && let Err(error) = self.reload_signing_keys().await
            {
                tracing::warn!(cause = %error, "The signing keys could not be read again; the last ones are shown.");
            }
            self.0.signing_keys.current().set.jwks()
        })
    }

    /// A token that will be good is one of a server whose clock is ahead: only the operator can help (FLT-16).
    fn note_if_early(&self, keys: &Keys, token: &str) {
        let later = self.0.clock.now().unix_seconds() + EARLY;
        if access_token::verify(&keys.set, &self.0.issuer, token, later).is_ok() {
            tracing::warn!("A token from the future was refused: the clocks of the servers differ by more than a minute.");
        }
    }

    /// Verifies an access token. One that names an unknown key may come from a replica that has a newer one.
    pub(crate) async fn verify_access_token(&self, token: &str) -> Result<Result<AccessTokenClaims, InvalidToken>, Error> {
        let mut keys = self.0.signing_keys.current();
        if let Ok(claims) = keys.verify(&self.0.issuer, token, self.0.clock.now().unix_seconds()) {
            return Ok(Ok(claims));
        }
        let Some(kid) = access_token::key_id(token) else { return Ok(Err(InvalidToken)) };
        if keys.set.knows(&kid) {
            self.note_if_early(&keys, token);
            return Ok(Err(InvalidToken));
        }
        if !self.0.signing_keys.may_reload() {
            return Ok(Err(InvalidToken));
        }
        self.reload_signing_keys().await?;
        keys = self.0.signing_keys.current();
        Ok(keys.verify(&self.0.issuer, token, self.0.clock.now().unix_seconds()))
    }
}

fn generate() -> Result<StoredSigningKey, Error> {
    let key = SigningKey::generate().map_err(Error::internal)?;
    Ok(StoredSigningKey { kid: key.kid().to_owned(), public_jwk: key.public_jwk().clone(), private_key: key.pkcs8().to_vec() })
}

async fn read(store: &Store) -> Result<KeySet, Error> {
    let stored = store.signing_keys().await?;
    let keys: Vec<SigningKey> =
        stored.into_iter().map(|key| SigningKey::from_parts(key.kid, key.public_jwk, key.private_key)).collect();
    KeySet::new(&keys).map_err(Error::internal)
}
