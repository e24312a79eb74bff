//! The form in which memories are written and changed.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::field_errors::{FieldErrors, FieldName};
use crate::markdown;
use crate::moments;
use crate::preferences::{Preferences, Zone};
use crate::server_client::Memory;
use crate::tokens::CallError;
use crate::words::{MemoryWords, Words, fill};

/// What the server calls the fields of this form.
fn names(words: &MemoryWords) -> [FieldName; 6] {
    [
        FieldName::new("text", "text", words.text_label, words.text_rule),
        FieldName::new("tags", "tags", words.tags_label, words.tags_rule),
        FieldName::new("category", "category", words.category_label, words.category_rule),
        FieldName::new("expiration_date", "expires", words.expires_label, words.expires_rule),
        FieldName::new("permission", "permission", words.permission_label, words.permission_rule),
        FieldName::new("shared_with", "groups", words.shared_with_label, words.shared_with_rule),
    ]
}

/// The fields as they were typed. Those ending in `_was` are what was there before: a field that nobody touched
/// is not sent, so that what this form cannot express (seconds, tags with commas) is not lost.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MemoryFields {
    pub(crate) text: String,
    pub(crate) tags: String,
    pub(crate) tags_was: String,
    pub(crate) category: String,
    pub(crate) category_was: String,
    pub(crate) expires: String,
    pub(crate) expires_was: String,
    pub(crate) permission: String,
    pub(crate) permission_was: String,
    pub(crate) version: String,
    /// Not empty when the person only wants to see how it looks.
    pub(crate) preview: String,
    /// By which the server knows a new memory that is sent twice.
    pub(crate) idempotency_key: String,
    /// The text as it will look, if that was asked for; safe to put into a page.
    #[serde(skip)]
    pub(crate) preview_html: Option<String>,
}

impl MemoryFields {
    /// The form for a new memory.
    pub(crate) fn empty() -> Self {
        Self { permission: "private".to_owned(), ..Self::default() }.with_new_key()
    }

    /// The same form for one more memory.
    pub(crate) fn with_new_key(self) -> Self {
        Self { idempotency_key: Uuid::new_v4().to_string(), ..self }
    }

    /// The form for an existing memory.
    pub(crate) fn of(memory: &Memory, zone: &Zone) -> Self {
        let (tags, category) = (memory.tags.join(", "), memory.category.clone().unwrap_or_default());
        let expires = memory.expiration_date.map(|moment| moments::input(moment, zone)).unwrap_or_default();
        let permission = memory.permission.as_str().to_owned();
        Self {
            text: memory.text.clone(),
            tags_was: tags.clone(),
            tags,
            category_was: category.clone(),
            category,
            expires_was: expires.clone(),
            expires,
            permission_was: permission.clone(),
            permission,
            version: memory.version.to_string(),
            ..Self::default()
        }
    }

    /// Keeps what was typed but compares it from now on with what is stored.
    pub(crate) fn rebased_on(self, memory: &Memory, zone: &Zone) -> Self {
        let stored = Self::of(memory, zone);
        Self {
            text: self.text,
            tags: self.tags,
            category: self.category,
            expires: self.expires,
            permission: self.permission,
            ..stored
        }
    }

    /// Undoes what browsers do to line ends.
    pub(crate) fn normalised(mut self) -> Self {
        self.text = Self::line_ends(&self.text);
        self
    }

    /// The text as it was before a browser sent it.
    pub(crate) fn line_ends(text: &str) -> String {
        text.replace("\r\n", "\n")
    }

    /// What `submit_memory` takes.
    pub(crate) fn submission(&self, preferences: &Preferences) -> Result<Value, FieldErrors> {
        let mut data = Map::new();
        data.insert("text".into(), self.checked_text(preferences.words())?.into());
        data.insert("permission".into(), self.permission.as_str().into());
        data.insert("tags".into(), self.tag_list().into());
        if !self.category.trim().is_empty() {
            data.insert("category".into(), self.category.trim().into());
        }
        if let Some(expiration_date) = self.expiration_date(preferences)? {
            data.insert("expiration_date".into(), expiration_date.into());
        }
        if let Ok(key) = self.idempotency_key.parse::<Uuid>() {
            data.insert("idempotency_key".into(), key.to_string().into());
        }
        Ok(Value::Object(data))
    }

    /// What `update_memory` takes.
    pub(crate) fn change(&self, id: Uuid, preferences: &Preferences) -> Result<Value, FieldErrors> {
        let version: i64 = self.version.parse().map_err(|_| FieldErrors::one("", preferences.words().memory.incomplete))?;
        let mut data = json!({ "memory_id": id, "version": version, "text": self.checked_text(preferences.words())? });
        if self.tags != self.tags_was {
            data["tags"] = self.tag_list().into();
        }
        if self.category != self.category_was {
            data["category"] = Some(self.category.trim()).filter(|category| !category.is_empty()).into();
        }
        if self.expires != self.expires_was {
            data["expiration_date"] = self.expiration_date(preferences)?.into();
        }
        if self.permission != self.permission_was {
            data["permission"] = self.permission.as_str().into();
        }
        Ok(data)
    }

    /// Renders the text, unless it is too long to be stored.
    pub(crate) async fn previewed(mut self, words: &Words) -> (Self, FieldErrors) {
        match self.length_error(words) {
            Some(errors) => (self, errors),
            None => {
                self.preview_html = Some(markdown::rendered(self.text.clone()).await);
                (self, FieldErrors::none())
            }
        }
    }

    /// What is wrong with a text that is too long.
    pub(crate) fn length_error(&self, words: &Words) -> Option<FieldErrors> {
        let count = self.text.chars().count();
        (count > markdown::MOST_CHARACTERS).then(|| FieldErrors::one("text", fill(words.memory.text_long, count)))
    }

    /// Whether the person still has to say with whom.
    pub(crate) fn is_newly_shared(&self) -> bool {
        self.permission == "shared" && self.permission_was != "shared"
    }

    /// What the server said about this form.
    pub(crate) fn errors_of(error: &CallError, words: &Words) -> FieldErrors {
        FieldErrors::of_call(error, &names(&words.memory), words)
    }

    fn checked_text(&self, words: &Words) -> Result<&str, FieldErrors> {
        if self.text.trim().is_empty() {
            return Err(FieldErrors::one("text", words.memory.text_empty));
        }
        self.length_error(words).map_or(Ok(&self.text), Err)
    }

    fn tag_list(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            if !tags.iter().any(|known| known == tag) {
                tags.push(tag.to_owned());
            }
        }
        tags
    }

    fn expiration_date(&self, preferences: &Preferences) -> Result<Option<String>, FieldErrors> {
        if self.expires.trim().is_empty() {
            return Ok(None);
        }
        match moments::from_input(&self.expires, &preferences.zone) {
            Some(moment) => Ok(Some(moments::machine(moment))),
            None => Err(FieldErrors::one("expires", preferences.words().memory.expires_form)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::MemoryFields;
    use crate::preferences::Preferences;

    #[test]
    fn untouched_fields_are_not_sent() {
        let fields = MemoryFields {
            text: "tea".into(),
            tags: "a, b".into(),
            tags_was: "a, b".into(),
            expires: "2027-01-31T18:00".into(),
            expires_was: "2027-01-31T18:00".into(),
            permission: "shared".into(),
            permission_was: "shared".into(),
            category_was: "drinks".into(),
            version: "3".into(),
            ..MemoryFields::default()
        };
        let id = Uuid::nil();

        let data = fields.change(id, &Preferences::default()).expect("a change");

        assert_eq!(data, json!({ "memory_id": id, "version": 3, "text": "tea", "category": null }));
    }

    #[test]
    fn tags_are_words_between_commas() {
        let fields = MemoryFields { tags: " a, b ,,a, c d ".into(), ..MemoryFields::default() };

        assert_eq!(fields.tag_list(), ["a", "b", "c d"]);
    }
}
