//! A memory as the templates show it.

use uuid::Uuid;

use crate::markdown;
use crate::moments;
use crate::preferences::Preferences;
use crate::server_client::{Memory, Permission};
use crate::visitor::Member;
use crate::words::{MemoryWords, fill};

/// A list with twenty memories of a hundred tags each would be more tags than memories.
const TAGS_IN_LISTS: usize = 8;

/// A tag and the list of memories that have it.
#[derive(Debug, Clone)]
pub(crate) struct TagView {
    pub(crate) name: String,
    pub(crate) href: String,
}

/// A time for reading and for machines.
#[derive(Debug, Clone)]
pub(crate) struct MomentView {
    pub(crate) readable: String,
    pub(crate) machine: String,
}

impl MomentView {
    pub(crate) fn new(moment: time::OffsetDateTime, preferences: &Preferences) -> Self {
        Self { readable: moments::readable(moment, preferences), machine: moments::machine(moment) }
    }
}

/// A memory, ready to be shown.
#[derive(Debug, Clone)]
pub(crate) struct MemoryView {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) text: String,
    pub(crate) permission: &'static str,
    pub(crate) permission_code: &'static str,
    /// The picture that says the same as `permission`.
    pub(crate) icon: &'static str,
    pub(crate) is_private: bool,
    pub(crate) is_own: bool,
    pub(crate) is_changed: bool,
    pub(crate) is_expired: bool,
    /// Why searching does not find it yet.
    pub(crate) search_note: Option<&'static str>,
    pub(crate) tags: Vec<TagView>,
    /// How many tags a list leaves out.
    pub(crate) more_tags: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) expires: Option<MomentView>,
    pub(crate) created: MomentView,
    pub(crate) updated: MomentView,
    no_words: &'static str,
}

impl MemoryView {
    pub(crate) fn new(memory: &Memory, reader: &Member) -> Self {
        let (words, preferences) = (&reader.words().memory, reader.preferences());
        let search_note = match memory.embedding_status.as_str() {
            "pending" => Some(words.pending),
            "failed" => Some(words.unembedded),
            _ => None,
        };
        let owner = reader.server_user_id();
        Self {
            id: memory.id,
            user_id: memory.user_id,
            text: memory.text.clone(),
            permission: permission_label(memory.permission, words),
            permission_code: memory.permission.as_str(),
            icon: permission_icon(memory.permission),
            is_private: memory.permission == Permission::Private,
            is_own: owner == Some(memory.user_id),
            is_changed: memory.updated_at != memory.created_at,
            is_expired: memory.is_expired,
            search_note,
            tags: memory.tags.iter().map(|tag| TagView { name: tag.clone(), href: tag_path(tag) }).collect(),
            more_tags: (memory.tags.len() > TAGS_IN_LISTS).then(|| fill(words.more_tags, memory.tags.len() - TAGS_IN_LISTS)),
            category: memory.category.clone(),
            expires: memory.expiration_date.map(|moment| MomentView::new(moment, preferences)),
            created: MomentView::new(memory.created_at, preferences),
            updated: MomentView::new(memory.updated_at, preferences),
            no_words: words.no_words,
        }
    }

    /// The tags for lists.
    pub(crate) fn first_tags(&self) -> &[TagView] {
        &self.tags[..self.tags.len().min(TAGS_IN_LISTS)]
    }

    /// The beginning of the text for lists.
    pub(crate) fn excerpt(&self) -> String {
        let excerpt = markdown::excerpt(&self.text, 280);
        if excerpt.is_empty() { self.no_words.to_owned() } else { excerpt }
    }
}

/// Who may see it, for people.
pub(crate) fn permission_label(permission: Permission, words: &MemoryWords) -> &'static str {
    match permission {
        Permission::Private => words.private,
        Permission::Public => words.public,
        Permission::Shared => words.shared,
        Permission::Aggregate => words.aggregate,
    }
}

fn permission_icon(permission: Permission) -> &'static str {
    match permission {
        Permission::Private => "i-lock",
        Permission::Public => "i-globe",
        Permission::Shared => "i-people",
        Permission::Aggregate => "i-chart",
    }
}

/// The list of memories with a tag.
fn tag_path(tag: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("tag", tag).finish();
    format!("/memories?{query}")
}
