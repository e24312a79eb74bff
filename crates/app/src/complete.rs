//! Completing what somebody is typing: only from what they may see.

use futures_util::future::BoxFuture;
use picard_domain::page::ListLimit;
use picard_domain::{Caller, Error, MemoryId, Reach, Scope, UserId};
use serde_json::json;

use crate::patience::{LONGEST_CALL, within};
use crate::{App, arguments};

/// The most proposals of an answer, as the protocol says.
const MOST: usize = 100;

/// What is to be completed, with what has been typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completing {
    /// The id of one of the caller's own memories, by its beginning or by words of the text.
    Memory(String),
    /// The id of a person in the directory, by a part of their name.
    Person(String),
    /// The id of a persona that the caller may ask, by a part of its name or description.
    Persona(String),
    /// A tag of this person's memories, the caller's own if nobody is named.
    Tag {
        /// Whose memories.
        owner: Option<UserId>,
        /// How it begins, in small letters or capitals.
        prefix: String,
    },
}

/// Proposals, the best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposals {
    /// At most 100.
    pub values: Vec<String>,
    /// Whether there are more.
    pub has_more: bool,
}

impl From<Vec<String>> for Proposals {
    fn from(mut values: Vec<String>) -> Self {
        let has_more = values.len() > MOST;
        values.truncate(MOST);
        Self { values, has_more }
    }
}

impl App {
    /// Completes what the caller is typing.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] without `memories:read`; [`Error::RateLimited`].
    pub fn complete<'a>(&'a self, caller: &'a Caller, what: &'a Completing) -> BoxFuture<'a, Result<Proposals, Error>> {
        Box::pin(within(LONGEST_CALL, async move {
            caller.require(Scope::Read)?;
            self.count_read(caller).await?;
            let reader = caller.user_id;
            // One more than is told, to know whether there are more.
            let limit = MOST + 1;
            Ok(match what {
                Completing::Memory(typed) => match id_range(typed) {
                    Some((from, to)) => {
                        let ids = self.0.store.memory_ids(Reach::Own(reader), from, to, limit).await?;
                        ids.iter().map(MemoryId::to_string).collect::<Vec<_>>().into()
                    }
                    None => self.found_by_words(caller, typed).await?,
                },
                Completing::Person(typed) => {
                    let page = self.directory(caller, typed.trim(), ListLimit::default(), None).await?;
                    let values = page.people.iter().map(|person| person.id.to_string()).collect();
                    Proposals { values, has_more: page.next_cursor.is_some() }
                }
                Completing::Persona(typed) => {
                    let typed = Some(typed.trim()).filter(|typed| !typed.is_empty());
                    let most = u32::try_from(limit).unwrap_or(u32::MAX);
                    let personas = self.0.store.personas(reader, None, typed, None, most).await?;
                    personas.iter().map(|persona| persona.id.to_string()).collect::<Vec<_>>().into()
                }
                Completing::Tag { owner, prefix } => {
                    let reach = Reach::VisibleOf { reader, owner: owner.unwrap_or(reader) };
                    self.0.store.tags(reach, prefix, limit).await?.into()
                }
            })
        }))
    }

    async fn found_by_words(&self, caller: &Caller, typed: &str) -> Result<Proposals, Error> {
        let data = json!({ "query": typed, "mode": "keyword", "limit": MOST });
        // What is no query finds nothing: it is still being typed.
        let Ok(query) = arguments::parse(data) else { return Ok(Proposals::default()) };
        let found = self.query_memory(caller, query).await?;
        Ok(found.memories.iter().map(|hit| hit.memory.id.to_string()).collect::<Vec<_>>().into())
    }
}

/// The first and the last id that begin like this; `None` when none does.
fn id_range(typed: &str) -> Option<(MemoryId, MemoryId)> {
    let digits: String = typed.chars().filter(|character| *character != '-').collect();
    let is_beginning = digits.len() <= 32 && digits.chars().all(|digit| digit.is_ascii_hexdigit());
    let whole = |filler: &str| format!("{digits}{}", filler.repeat(32_usize.saturating_sub(digits.len())));
    let id = |filler| uuid::Uuid::try_parse(&whole(filler)).ok().map(MemoryId);
    if is_beginning { id("0").zip(id("f")) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_a_range_of_ids() {
        let range = |typed| id_range(typed).map(|(from, to)| (from.to_string(), to.to_string()));
        let all = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff");
        assert_eq!(range(""), Some((all.0.into(), all.1.into())));
        let some = ("0123abcd-ef00-0000-0000-000000000000", "0123abcd-efff-ffff-ffff-ffffffffffff");
        assert_eq!(range("0123ABCD-EF"), Some((some.0.into(), some.1.into())));
        assert_eq!(range("tea"), None);
        assert_eq!(range(&"0".repeat(33)), None);
    }

    #[test]
    fn more_than_a_hundred_are_cut() {
        let many: Proposals = (0..101).map(|number| number.to_string()).collect::<Vec<_>>().into();
        assert_eq!((many.values.len(), many.has_more), (100, true));
    }
}
