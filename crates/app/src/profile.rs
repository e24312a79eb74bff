//! One's own account, and finding other people.

use futures_util::future::BoxFuture;
use picard_crypto::{ExposeSecret, SecretString, Verdict};
use picard_domain::account::{check_bio, check_display_name, folded};
use picard_domain::page::ListLimit;
use picard_domain::{Caller, Email, Error, Scope, UserId};
use picard_storage::analytics::Analytics;
use picard_storage::audit::NewAuditEvent;
use picard_storage::profiles::{ListedPerson, Profile, ProfileChange};

use crate::App;
use crate::people::settled;
use crate::sign_up::check_chosen_password;

/// What somebody changes of their account; `Some(None)` empties.
#[derive(Debug, Default)]
pub struct ChangeProfile {
    /// Their address.
    pub email: Option<Option<String>>,
    /// The name under which others see them.
    pub display_name: Option<Option<String>>,
    /// What they say about themselves.
    pub bio: Option<Option<String>>,
    /// Whether they may be found in the directory.
    pub is_listed: Option<bool>,
}

/// A page of the directory.
#[derive(Debug)]
pub struct DirectoryPage {
    /// The people, by name.
    pub people: Vec<ListedPerson>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

impl App {
    /// The caller's own account.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`.
    pub fn profile<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Profile, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.0.store.profile(caller.user_id).await?.ok_or(Error::Unauthorized)
        })
    }

    /// Changes the caller's own account. Rights are no part of it (LOG-18).
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::Invalid`]; [`Error::Conflict`] when the address is
    /// another account's.
    pub fn change_profile<'a>(&'a self, caller: &'a Caller, change: ChangeProfile) -> BoxFuture<'a, Result<Profile, Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let change = checked(change)?;
            if !self.0.store.change_profile(caller.user_id, &change).await? {
                return Err(Error::Conflict("The e-mail address belongs to another account.".to_owned()));
            }
            self.record_own(caller, "profile_changed", None).await?;
            self.0.store.profile(caller.user_id).await?.ok_or(Error::Unauthorized)
        })
    }

    /// Gives the caller's account a new password, and ends every session and every token of it, the caller's own too.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::Invalid`] for a wrong present or a bad new
    /// password; [`Error::Conflict`] for an account without one; [`Error::RateLimited`].
    pub fn change_password<'a>(
        &'a self,
        caller: &'a Caller,
        current: SecretString,
        new: SecretString,
        address: &'a str,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            let profile = self.0.store.profile(caller.user_id).await?.ok_or(Error::Unauthorized)?;
            check_chosen_password(new.expose_secret(), &profile.username)
                .map_err(|message| Error::invalid("new_password", message))?;
            let old_hash = self.own_password(caller, current, "current_password", address).await?.ok_or_else(|| {
                Error::Conflict("The account has no password: it is used through the application that made it.".to_owned())
            })?;
            let new_hash = self.0.passwords.hash(new).await.map_err(|error| Error::unavailable("Hashing passwords", error))?;
            if !self.0.store.change_password(caller.user_id, &old_hash, &new_hash).await? {
                return Err(Error::Conflict("The password was changed at the same moment: sign in again.".to_owned()));
            }
            self.record_own(caller, "password_changed", Some(address)).await?;
            tracing::warn!(event = "password_changed", user.id = %caller.user_id, "A person changed their password; all tokens have ended.");
            Ok(())
        })
    }

    /// Deletes the caller's account with all that is theirs. Their data key goes first of all: without it their texts
    /// are unreadable, in backups too.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:write`; [`Error::Invalid`] for a wrong password;
    /// [`Error::Conflict`] for the last administrator; [`Error::RateLimited`].
    pub fn delete_account<'a>(
        &'a self,
        caller: &'a Caller,
        password: Option<SecretString>,
        address: &'a str,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            caller.require(Scope::Write)?;
            self.own_password(caller, password.unwrap_or_default(), "password", address).await?;
            settled(self.0.store.delete_person(caller.user_id).await?)?;
            self.record_own(caller, "account_deleted", None).await?;
            tracing::warn!(event = "account_deleted", user.id = %caller.user_id, "A person deleted their account.");
            Ok(())
        })
    }

    /// Figures of the caller's own memories.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`.
    pub fn analytics<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Analytics, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            self.0.store.analytics(caller.user_id).await
        })
    }

    /// Checks the caller's password; `None` when the account has none. Failed tries count as failed sign-ins.
    async fn own_password(
        &self,
        caller: &Caller,
        password: SecretString,
        member: &str,
        address: &str,
    ) -> Result<Option<String>, Error> {
        let profile = self.0.store.profile(caller.user_id).await?.ok_or(Error::Unauthorized)?;
        let Some(stored) = profile.password_hash else { return Ok(None) };
        let verdict = self.try_password(&caller.user_id.to_string(), address, password, Some(&stored)).await?;
        if verdict != Verdict::NoMatch {
            return Ok(Some(stored));
        }
        Err(Error::invalid(member, "is not the password of this account"))
    }

    /// Searches the directory: people who chose to be listed, and the caller.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::Invalid`] for a cursor of another search.
    pub fn directory<'a>(
        &'a self,
        caller: &'a Caller,
        query: &'a str,
        limit: ListLimit,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<DirectoryPage, Error>> {
        Box::pin(async move {
            caller.require(Scope::Read)?;
            let wanted = folded(query);
            let list = format!("directory {wanted}");
            let after = cursor.map(|cursor| self.0.cursors.open_name(caller.user_id, &list, cursor)).transpose()?;
            let mut found = self.0.store.directory(caller.user_id, &wanted, after.as_deref(), limit.get() + 1).await?;
            let is_more = found.len() > limit.get() as usize;
            found.truncate(limit.get() as usize);
            let last = found.last().filter(|_| is_more);
            let next_cursor = last.map(|(key, _)| self.0.cursors.seal_name(caller.user_id, &list, key));
            Ok(DirectoryPage { people: found.into_iter().map(|(_, person)| person).collect(), next_cursor })
        })
    }

    async fn record_own(&self, caller: &Caller, event: &'static str, address: Option<&str>) -> Result<(), Error> {
        let (user_id, client_id): (UserId, _) = (caller.user_id, caller.client_id);
        let event = NewAuditEvent { event, user_id: Some(user_id), client_id: Some(client_id), address, ..Default::default() };
        self.record(event).await
    }
}

fn checked(change: ChangeProfile) -> Result<ProfileChange, Error> {
    let is_empty = change.email.is_none() && change.display_name.is_none() && change.bio.is_none() && change.is_listed.is_none();
    if is_empty {
        return Err(Error::invalid("display_name", "or email, bio or is_listed must be given"));
    }
    if let Some(Some(name)) = &change.display_name {
        check_display_name(name).map_err(|error| Error::invalid("display_name", error.to_string()))?;
    }
    if let Some(Some(bio)) = &change.bio {
        check_bio(bio).map_err(|error| Error::invalid("bio", error.to_string()))?;
    }
    let email = match change.email {
        Some(Some(email)) => Some(Some(Email::try_from(email).map_err(|error| Error::invalid("email", error.to_string()))?)),
        Some(None) => Some(None),
        None => None,
    };
    Ok(ProfileChange { email, display_name: change.display_name, bio: change.bio, is_listed: change.is_listed })
}
