//! Cursors: a place in a list, sealed so that nobody can read, change or borrow one (MEM-10).

use picard_crypto::{KeyRing, SealingKey, hash_token};
use picard_domain::page::Position;
use picard_domain::{Error, MemoryId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) struct Cursors(SealingKey);

#[derive(Serialize, Deserialize)]
struct Sealed {
    /// Whose list it is and how it was asked for.
    list: [u8; 32],
    moment: Option<Timestamp>,
    id: MemoryId,
}

impl Cursors {
    pub(crate) fn new(keys: &KeyRing) -> Self {
        Self(SealingKey::derive(keys, "cursor"))
    }

    /// Seals the place for the person and the question.
    pub(crate) fn seal(&self, person: UserId, question: &str, position: Position) -> String {
        let sealed = Sealed { list: list(person, question), moment: position.moment, id: position.id };
        self.0.seal(&serde_json::to_vec(&sealed).expect("three plain members become JSON"))
    }

    /// Seals a place in a list of the administration.
    pub(crate) fn seal_place(&self, person: UserId, question: &str, moment: Timestamp, id: Uuid) -> String {
        self.seal(person, question, Position { moment: Some(moment), id: MemoryId(id) })
    }

    /// Opens a place in a list of the administration.
    pub(crate) fn open_place(&self, person: UserId, question: &str, cursor: &str) -> Result<(Timestamp, Uuid), Error> {
        let position = self.open(person, question, cursor)?;
        let moment = position.moment.ok_or_else(|| Error::invalid("cursor", "must be a next_cursor of this list"))?;
        Ok((moment, position.id.0))
    }

    /// Seals a name in a list that is sorted by names.
    pub(crate) fn seal_name(&self, person: UserId, question: &str, name: &str) -> String {
        self.0.seal(&serde_json::to_vec(&(list(person, question), name)).expect("two plain members become JSON"))
    }

    /// Opens a name in a list that is sorted by names.
    pub(crate) fn open_name(&self, person: UserId, question: &str, cursor: &str) -> Result<String, Error> {
        let opened = self.0.open(cursor).and_then(|opened| serde_json::from_slice::<([u8; 32], String)>(&opened).ok());
        match opened {
            Some((sealed_for, name)) if sealed_for == list(person, question) => Ok(name),
            _ => Err(Error::invalid("cursor", "must be the next_cursor of the same list with the same filters")),
        }
    }

    /// Opens a cursor that was sealed for the same person and the same question.
    pub(crate) fn open(&self, person: UserId, question: &str, cursor: &str) -> Result<Position, Error> {
        let refused = || Error::invalid("cursor", "must be the next_cursor of the same list with the same filters");
        let opened = self.0.open(cursor).ok_or_else(refused)?;
        let sealed: Sealed = serde_json::from_slice(&opened).map_err(|_| refused())?;
        if sealed.list != list(person, question) {
            return Err(refused());
        }
        Ok(Position { moment: sealed.moment, id: sealed.id })
    }
}

fn list(person: UserId, question: &str) -> [u8; 32] {
    hash_token(&format!("{person} {question}"))
}
