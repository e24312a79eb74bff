//! People, as administrators manage them: accounts, never texts.

use futures_util::future::BoxFuture;
use picard_domain::page::ListLimit;
use picard_domain::{Error, UserId};
use picard_storage::audit::NewAuditEvent;
use picard_storage::people::{Changed, Person};

use crate::{Administrator, App};

/// A page of people.
#[derive(Debug)]
pub struct PeoplePage {
    /// The people, the newest account first.
    pub people: Vec<Person>,
    /// Where the next page begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// What a cursor of the list of people is sealed for.
const LIST: &str = "people";

impl App {
    /// Lists everybody.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor of another list.
    pub fn people<'a>(
        &'a self,
        administrator: Administrator,
        limit: ListLimit,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<PeoplePage, Error>> {
        Box::pin(async move {
            let cursors = &self.0.cursors;
            let after = cursor.map(|cursor| cursors.open_place(administrator.user_id, LIST, cursor)).transpose()?;
            let mut people = self.0.store.people(after, limit.get() + 1).await?;
            let is_more = people.len() > limit.get() as usize;
            people.truncate(limit.get() as usize);
            let last = people.last().filter(|_| is_more);
            let next_cursor = last.map(|person| cursors.seal_place(administrator.user_id, LIST, person.created_at, person.id.0));
            Ok(PeoplePage { people, next_cursor })
        })
    }

    /// One person.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn person(&self, _: Administrator, id: UserId) -> BoxFuture<'_, Result<Person, Error>> {
        Box::pin(async move { self.0.store.person(id).await?.ok_or(Error::NotFound) })
    }

    /// Changes whether an account may be used and whether its person is an administrator. Whoever is deactivated loses
    /// every token at once.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] when nothing is to change; [`Error::Conflict`] for the last administrator.
    pub fn change_person(
        &self,
        administrator: Administrator,
        id: UserId,
        is_active: Option<bool>,
        is_superuser: Option<bool>,
    ) -> BoxFuture<'_, Result<Person, Error>> {
        Box::pin(async move {
            if is_active.is_none() && is_superuser.is_none() {
                return Err(Error::invalid("is_active", "or is_superuser must be given"));
            }
            let person = settled(self.0.store.change_person(id, is_active, is_superuser).await?)?;
            self.record(NewAuditEvent {
                event: "account_changed",
                user_id: Some(administrator.user_id),
                subject_id: Some(id),
                details: serde_json::json!({ "is_active": person.is_active, "is_superuser": person.is_superuser }),
                ..Default::default()
            })
            .await?;
            tracing::warn!(
                event = "account_changed", user.id = %administrator.user_id, account.id = %id,
                is_active = person.is_active, is_superuser = person.is_superuser, "An administrator changed an account."
            );
            Ok(person)
        })
    }

    /// Deletes a person with all that is theirs, for good.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] for the last administrator.
    pub fn delete_person(&self, administrator: Administrator, id: UserId) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            settled(self.0.store.delete_person(id).await?)?;
            self.record(NewAuditEvent {
                event: "account_deleted",
                user_id: Some(administrator.user_id),
                subject_id: Some(id),
                ..Default::default()
            })
            .await?;
            tracing::warn!(event = "account_deleted", user.id = %administrator.user_id, account.id = %id, "An administrator deleted an account.");
            Ok(())
        })
    }
}

pub(crate) fn settled<T>(changed: Changed<T>) -> Result<T, Error> {
    match changed {
        Changed::Done(done) => Ok(done),
        Changed::NotFound => Err(Error::NotFound),
        Changed::LastSuperuser => {
            Err(Error::Conflict("This is the last active administrator: make somebody else one first.".to_owned()))
        }
    }
}
