//! Whose sessions are, of those that this process serves.

use std::collections::HashMap;
use std::sync::Arc;

use picard_app::SessionKey;
use picard_domain::UserId;
use rmcp::transport::streamable_http_server::session::SessionId;

/// The most sessions of one person here.
const MOST_OF_A_PERSON: usize = 50;
/// The most sessions here.
const MOST: usize = 2_000;

/// Whose a session is, and which was used when.
#[derive(Default)]
pub(super) struct Owners {
    sessions: HashMap<SessionId, Owned>,
    uses: u64,
}

struct Owned {
    person: UserId,
    key: SessionKey,
    asker: Arc<str>,
    last_use: u64,
}

impl Owners {
    /// Adds a session. When there are too many, returns the longest unused one, which makes room and is forgotten:
    /// the person's own if they have too many, otherwise anybody's.
    pub(super) fn add(&mut self, id: SessionId, person: UserId, server: &str) -> Option<SessionId> {
        let of_person = self.sessions.values().filter(|owned| owned.person == person).count();
        let displaced = if of_person >= MOST_OF_A_PERSON {
            self.longest_unused(|owned| owned.person == person)
        } else if self.sessions.len() >= MOST {
            self.longest_unused(|_| true)
        } else {
            None
        };
        if let Some(displaced) = &displaced {
            self.sessions.remove(displaced);
        }
        self.uses += 1;
        let owned =
            Owned { person, key: SessionKey::of(&id), asker: format!("{server}:{}:", self.uses).into(), last_use: self.uses };
        self.sessions.insert(id, owned);
        displaced
    }

    /// Whether the session is this person's; if so it has just been used.
    pub(super) fn find(&mut self, id: &str, person: UserId) -> bool {
        self.uses += 1;
        let uses = self.uses;
        let found = self.sessions.get_mut(id).filter(|owned| owned.person == person);
        found.map(|owned| owned.last_use = uses).is_some()
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    /// What the ids of questions begin with that are asked in this session here; in no other is it the same, nor after
    /// the session was begun here anew.
    pub(super) fn asker(&self, id: &str) -> Option<Arc<str>> {
        self.sessions.get(id).map(|owned| Arc::clone(&owned.asker))
    }

    /// The session that other servers speak of.
    pub(super) fn by_key(&self, key: SessionKey) -> Option<SessionId> {
        self.sessions.iter().find(|(_, owned)| owned.key == key).map(|(id, _)| id.clone())
    }

    fn longest_unused(&self, is_candidate: impl Fn(&Owned) -> bool) -> Option<SessionId> {
        let candidates = self.sessions.iter().filter(|(_, owned)| is_candidate(owned));
        candidates.min_by_key(|(_, owned)| owned.last_use).map(|(id, _)| id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> SessionId {
        format!("session {n}").into()
    }

    #[test]
    fn a_session_is_found_by_its_owner_alone() {
        let (ada, bob) = (UserId::generate(), UserId::generate());
        let mut owners = Owners::default();
        owners.add(id(1), ada, "here");

        assert!(owners.find("session 1", ada));
        assert!(!owners.find("session 1", bob), "SCO-09, T3");
        assert!(!owners.find("session 2", ada));

        owners.remove("session 1");
        assert!(!owners.find("session 1", ada));
    }

    #[test]
    fn the_longest_unused_session_of_a_person_makes_room() {
        let ada = UserId::generate();
        let mut owners = Owners::default();
        owners.add(id(1_000), UserId::generate(), "here");
        for n in 0..MOST_OF_A_PERSON {
            assert_eq!(owners.add(id(n), ada, "here"), None);
        }
        assert!(owners.find("session 0", ada));

        assert_eq!(owners.add(id(MOST_OF_A_PERSON), ada, "here"), Some(id(1)), "T4");

        assert!(!owners.find("session 1", ada));
        assert_eq!(owners.sessions.len(), MOST_OF_A_PERSON + 1);
    }

    #[test]
    fn questions_of_different_sessions_never_have_the_same_id() {
        let ada = UserId::generate();
        let mut owners = Owners::default();
        owners.add(id(1), ada, "here");
        let first = owners.asker("session 1").expect("it is there");
        owners.remove("session 1");
        owners.add(id(1), ada, "here");
        owners.add(id(2), ada, "here");

        let (again, other) = (owners.asker("session 1").expect("it is there"), owners.asker("session 2").expect("it is there"));

        assert!(first != again && again != other && first != other, "{first} {again} {other}");
        assert_eq!(owners.by_key(SessionKey::of("session 2")), Some(id(2)));
        assert_eq!(owners.by_key(SessionKey::of("session 3")), None);
    }

    #[test]
    fn there_are_never_more_than_the_most() {
        let mut owners = Owners::default();
        for n in 0..MOST {
            assert_eq!(owners.add(id(n), UserId::generate(), "here"), None);
        }

        assert_eq!(owners.add(id(MOST), UserId::generate(), "here"), Some(id(0)), "T4");

        assert_eq!(owners.sessions.len(), MOST);
    }
}
