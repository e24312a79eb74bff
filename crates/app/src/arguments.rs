//! From JSON to a command, with the name of the member that is wrong.

use picard_domain::{Error, FieldError};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a command.
///
/// # Errors
/// [`Error::Invalid`] with the path of the member that is missing, unknown or wrong.
pub fn parse<T: DeserializeOwned>(data: Value) -> Result<T, Error> {
    if !data.is_object() {
        return Err(Error::invalid("data", "must be a JSON object"));
    }
    serde_path_to_error::deserialize(data).map_err(|error| {
        let path = error.path().to_string();
        Error::Invalid(vec![field_error(&path, &error.into_inner().to_string())])
    })
}

/// serde names a missing or unknown member in its message only: here it becomes the field.
fn field_error(path: &str, message: &str) -> FieldError {
    let parent = if path == "." { "" } else { path };
    if let Some(member) = quoted(message, "missing field `") {
        return FieldError::new(joined(parent, member), "is missing");
    }
    if let Some(member) = quoted(message, "unknown field `") {
        // serde's path already ends with the unknown member.
        let field = if parent.ends_with(member) { parent.to_owned() } else { joined(parent, member) };
        let known = message.split_once("expected ").map_or(String::new(), |(_, known)| format!("; known: {known}"));
        return FieldError::new(field, format!("is not known here{known}"));
    }
    // "invalid type: integer `1`, expected a string", "unknown variant `x`, expected one of `a`, `b`".
    let is_serdes = ["invalid ", "unknown variant "].iter().any(|before| message.starts_with(before));
    match message.split_once(", expected ") {
        Some((_, wanted)) if is_serdes => FieldError::new(parent, format!("must be {wanted}")),
        _ => FieldError::new(parent, message),
    }
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split_once('`').map(|(member, _)| member)
}

fn joined(parent: &str, member: &str) -> String {
    if parent.is_empty() { member.to_owned() } else { format!("{parent}.{member}") }
}

#[cfg(test)]
mod tests {
    use picard_domain::commands::{QueryMemory, SubmitMemory};
    use serde_json::json;

    use super::*;

    fn field<T: DeserializeOwned>(data: Value) -> String {
        match parse::<T>(data) {
            Err(Error::Invalid(errors)) => errors[0].field.clone(),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn the_wrong_member_is_named() {
        assert_eq!(field::<SubmitMemory>(json!({})), "text");
        assert_eq!(field::<SubmitMemory>(json!({ "text": "" })), "text");
        assert_eq!(field::<SubmitMemory>(json!({ "text": "a", "tags": ["a", ""] })), "tags[1]");
        assert_eq!(field::<SubmitMemory>(json!({ "text": "a", "permission": "PRIVATE" })), "permission");
        assert_eq!(field::<SubmitMemory>(json!({ "text": "a", "user_id": "b" })), "user_id");
        assert_eq!(field::<QueryMemory>(json!({ "query": "a", "limit": 0 })), "limit");
        assert_eq!(field::<QueryMemory>(json!([])), "data");
    }
}
