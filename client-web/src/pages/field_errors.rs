//! What is wrong with a form, next to the fields and in a summary.

use http::StatusCode;

use crate::error::{Explanation, Reason};
use crate::server_client::{FieldMessage, ToolError};
use crate::tokens::CallError;
use crate::words::{Words, fill};

/// One thing that is wrong; the field is empty when it is about the form as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

/// What the server, the form and a person call a field.
#[derive(Debug)]
pub(crate) struct FieldName {
    pub(crate) theirs: &'static str,
    pub(crate) ours: &'static str,
    pub(crate) label: &'static str,
    /// What must hold, in a language that the server does not speak; empty in the server's own.
    pub(crate) rule: &'static str,
}

impl FieldName {
    pub(crate) const fn new(theirs: &'static str, ours: &'static str, label: &'static str, rule: &'static str) -> Self {
        Self { theirs, ours, label, rule }
    }
}

/// Everything that is wrong with a form.
#[derive(Debug, Clone)]
pub(crate) struct FieldErrors {
    pub(crate) status: StatusCode,
    pub(crate) list: Vec<FieldError>,
    pub(crate) retry_after: Option<u64>,
    /// Whether the connections page is where it can be mended.
    pub(crate) is_about_connection: bool,
}

impl FieldErrors {
    /// A form in which nothing is wrong yet.
    pub(crate) fn none() -> Self {
        Self { status: StatusCode::OK, list: Vec::new(), retry_after: None, is_about_connection: false }
    }

    /// One wrong field.
    pub(crate) fn one(field: &'static str, message: impl Into<String>) -> Self {
        let mut errors = Self::none();
        errors.add(field, message);
        errors
    }

    pub(crate) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.status = StatusCode::UNPROCESSABLE_ENTITY;
        self.list.push(FieldError { field, message: message.into() });
    }

    /// The message next to a field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.list.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What the server said about a call that a form made about a memory.
    pub(crate) fn of_call(error: &CallError, fields: &[FieldName], words: &Words) -> Self {
        Self::of_call_about(Reason::NoMemory, error, fields, words)
    }

    /// What the server said about a call that a form made. What is not there is what the form is about.
    pub(crate) fn of_call_about(absent: Reason, error: &CallError, fields: &[FieldName], words: &Words) -> Self {
        let mut explanation = Explanation::from(error);
        if explanation.reason == Reason::NoMemory {
            explanation.reason = absent;
        }
        let list = match error {
            CallError::Tool(ToolError::Invalid(messages)) if !messages.is_empty() => {
                messages.iter().map(|message| translated(message, fields, words)).collect()
            }
            _ => {
                let (heading, message) = explanation.reason.said(words);
                vec![FieldError { field: "", message: format!("{heading}. {message}") }]
            }
        };
        Self {
            status: explanation.status,
            list,
            retry_after: explanation.retry_after,
            is_about_connection: explanation.is_about_connection,
        }
    }
}

/// The server names the path of a member, for example `tags[3]`.
pub(super) fn translated(message: &FieldMessage, fields: &[FieldName], words: &Words) -> FieldError {
    let name = message.field.split(['[', '.']).next().unwrap_or_default();
    match fields.iter().find(|field| field.theirs == name) {
        Some(field) if !field.rule.is_empty() => FieldError { field: field.ours, message: field.rule.to_owned() },
        Some(field) => FieldError { field: field.ours, message: sentence(field.label, &message.message) },
        None if !words.problem.refused_rule.is_empty() => {
            FieldError { field: "", message: fill(words.problem.refused_rule, name) }
        }
        None => FieldError { field: "", message: sentence(name, &message.message) },
    }
}

/// The server says "must have …"; a person wants to read what must.
fn sentence(subject: &str, predicate: &str) -> String {
    let colon = if subject.is_empty() || predicate.starts_with("must ") { "" } else { ":" };
    let stop = if predicate.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{subject}{colon} {predicate}{stop}").trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{FieldErrors, FieldName, sentence, translated};
    use crate::error::Reason;
    use crate::server_client::{FieldMessage, ToolError};
    use crate::tokens::CallError;
    use crate::words::Language;

    #[test]
    fn the_servers_english_is_shown_to_nobody_who_reads_german() {
        let german = Language::German.words();
        let fields = [FieldName::new("model", "model", german.persona.model_label, german.persona.model_rule)];
        for field in ["model", "min_score", "shared_with.groups", ""] {
            let message = FieldMessage { field: field.to_owned(), message: "must be one of".to_owned() };
            assert!(!translated(&message, &fields, german).message.contains("must"), "{field}");
        }
    }

    #[test]
    fn what_is_not_there_is_called_by_its_name() {
        let (words, error) = (Language::English.words(), CallError::Tool(ToolError::NotFound));
        let said = |reason| FieldErrors::of_call_about(reason, &error, &[], words).list[0].message.clone();

        assert!(said(Reason::NoPerson).starts_with("This person is not here"));
        assert!(said(Reason::NoMemory).starts_with("This memory is not here"));
    }

    #[test]
    fn what_the_server_says_becomes_a_sentence() {
        assert_eq!(sentence("A tag", "must have 1 to 64 characters"), "A tag must have 1 to 64 characters.");
        assert_eq!(sentence("The text", "It is empty."), "The text: It is empty.");
        assert_eq!(sentence("", "it is too much"), "it is too much.");
    }
}
