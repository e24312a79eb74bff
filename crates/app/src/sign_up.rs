//! Making an account for oneself.

use futures_util::future::BoxFuture;
use picard_crypto::{ExposeSecret, SecretString, is_common_password};
use picard_domain::account::{check_chosen_username, check_new_password, folded};
use picard_domain::{Email, Error, FieldError, UserId, Username};
use picard_storage::accounts::NewAccount;
use picard_storage::audit::NewAuditEvent;

use crate::App;

/// What somebody says of themselves who wants an account.
#[derive(Debug)]
pub struct SignUp {
    /// Their name.
    pub username: String,
    /// Their address.
    pub email: Option<String>,
    /// Their password.
    pub password: SecretString,
}

/// Why there is no new account.
#[derive(Debug)]
pub enum SignUpError {
    /// The operator has turned sign-ups off.
    Disabled,
    /// Something else.
    Other(Error),
}

impl From<Error> for SignUpError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Checks a password that somebody chooses (LOG-10).
pub(crate) fn check_chosen_password(password: &str, username: &str) -> Result<(), String> {
    check_new_password(password).map_err(|error| error.to_string())?;
    if folded(password) == folded(username) {
        return Err("is the username: choose another".to_owned());
    }
    if is_common_password(password) {
        return Err("is one of the passwords that everybody tries first: choose another".to_owned());
    }
    Ok(())
}

impl App {
    /// Whether people can make accounts for themselves.
    #[must_use]
    pub fn is_sign_up_open(&self) -> bool {
        self.0.settings.is_sign_up_open
    }

    /// Makes an account. That a name or an address is taken has to be told, since there is no letter that could tell it
    /// instead; which of the two it is, is not, and the tries are limited (LOG-06).
    ///
    /// # Errors
    /// [`SignUpError::Disabled`]; [`Error::Invalid`] with every member that is wrong; [`Error::Conflict`],
    /// [`Error::RateLimited`].
    pub fn sign_up<'a>(&'a self, new: SignUp, address: &'a str) -> BoxFuture<'a, Result<UserId, SignUpError>> {
        Box::pin(async move {
            if !self.is_sign_up_open() {
                return Err(SignUpError::Disabled);
            }
            self.count_request("sign-up", "", address).await?;
            let (username, email) = checked(&new)?;
            let busy = |error| Error::unavailable("Hashing passwords", error);
            let password_hash = self.0.passwords.hash(new.password).await.map_err(busy)?;
            let account = NewAccount {
                id: UserId::generate(),
                username,
                email,
                password_hash: Some(password_hash),
                is_superuser: false,
                client_id: None,
            };
            if !self.0.store.create_account(&account).await? {
                return Err(Error::Conflict("The username or the e-mail address belongs to another account.".to_owned()).into());
            }
            let event =
                NewAuditEvent { event: "signed_up", user_id: Some(account.id), address: Some(address), ..Default::default() };
            self.record(event).await?;
            tracing::info!(event = "signed_up", user.id = %account.id, "A person made an account.");
            Ok(account.id)
        })
    }

    /// The same, and signs the new person in.
    ///
    /// # Errors
    /// As [`App::sign_up`].
    pub fn sign_up_and_in<'a>(&'a self, new: SignUp, address: &'a str) -> BoxFuture<'a, Result<SecretString, SignUpError>> {
        Box::pin(async move {
            let user_id = self.sign_up(new, address).await?;
            Ok(self.open_session(user_id, address).await?)
        })
    }
}

fn checked(new: &SignUp) -> Result<(Username, Option<Email>), Error> {
    let mut errors = Vec::new();
    let username = Username::try_from(new.username.clone())
        .and_then(|name| check_chosen_username(&name).map(|()| name))
        .map_err(|error| errors.push(FieldError::new("username", error.to_string())));
    let email = match new.email.clone().filter(|email| !email.is_empty()) {
        Some(email) => Email::try_from(email).map(Some).map_err(|error| errors.push(FieldError::new("email", error.to_string()))),
        None => Ok(None),
    };
    if let Err(message) = check_chosen_password(new.password.expose_secret(), &new.username) {
        errors.push(FieldError::new("password", message));
    }
    match (username, email) {
        (Ok(username), Ok(email)) if errors.is_empty() => Ok((username, email)),
        _ => Err(Error::Invalid(errors)),
    }
}
