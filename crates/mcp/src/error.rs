//! The one table from a rule's error to the protocol's.

use picard_domain::{Error, FieldError};
use rmcp::model::{CallToolResult, ErrorData};
use serde_json::{Map, Value, json};

/// A failed call: something the assistant can read and act on, unless nobody but us can.
///
/// # Errors
/// The JSON-RPC error for a tool that does not exist and for bugs.
pub(crate) fn of_tool(error: &Error) -> Result<CallToolResult, ErrorData> {
    log_cause(error);
    match error {
        Error::UnknownTool => Err(ErrorData::invalid_params("There is no tool of this name; tools/list names them.", None)),
        Error::Internal(_) => Err(internal()),
        _ => Ok(CallToolResult::structured_error(Value::Object(described(error)))),
    }
}

/// A list that cannot be given.
pub(crate) fn of_list(error: &Error) -> ErrorData {
    log_cause(error);
    let data = || Some(Value::Object(described(error)));
    match error {
        Error::Internal(_) => internal(),
        Error::Invalid(_) | Error::NotFound => ErrorData::invalid_params(error.to_string(), data()),
        Error::RateLimited { .. } | Error::Unavailable { .. } => ErrorData::internal_error(error.to_string(), data()),
        _ => ErrorData::invalid_request(error.to_string(), data()),
    }
}

/// A resource that cannot be read. What does not exist and what the caller may not see answer the same (MEM-16).
pub(crate) fn of_resource(error: &Error, uri: &str) -> ErrorData {
    match error {
        // rmcp turns the code of older revisions into that of the peer's.
        Error::NotFound => ErrorData::resource_not_found(error.to_string(), Some(json!({ "uri": uri }))),
        _ => of_list(error),
    }
}

/// A failure that only we can mend; its cause is in the log.
pub(crate) fn internal() -> ErrorData {
    ErrorData::internal_error("Something went wrong on our side.", None)
}

fn described(error: &Error) -> Map<String, Value> {
    let mut members = Map::from_iter([("code".to_owned(), error.code().into()), ("detail".to_owned(), error.to_string().into())]);
    if let Error::Invalid(errors) = error {
        let named = |error: &FieldError| json!({ "field": error.field, "message": error.message });
        members.insert("errors".to_owned(), errors.iter().map(named).collect());
    }
    members
}

/// The cause goes to the log once, here at the boundary; the caller never sees it.
fn log_cause(error: &Error) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match error {
        Error::Internal(_) => tracing::error!(cause, "A request failed."),
        Error::Unavailable { .. } => tracing::warn!(cause, "A request could not be handled."),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;

    use super::*;

    #[test]
    fn a_failed_call_says_what_to_do_next() {
        let result = of_tool(&Error::invalid("limit", "must be a whole number")).expect("a result");

        assert_eq!(result.is_error, Some(true));
        let structured = result.structured_content.expect("structured content");
        assert_eq!(
            structured,
            json!({ "code": "invalid", "detail": "limit: must be a whole number", "errors": [{ "field": "limit", "message": "must be a whole number" }] })
        );
        let text = &result.content[0].as_text().expect("text").text;
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), structured);

        let not_found = of_tool(&Error::NotFound).expect("a result").structured_content.expect("structured content");
        assert_eq!(not_found["code"], "not_found");
        assert!(not_found.get("errors").is_none());
    }

    #[test]
    fn a_tool_that_does_not_exist_is_a_failure_of_the_protocol() {
        assert_eq!(of_tool(&Error::UnknownTool).expect_err("an error").code, ErrorCode::INVALID_PARAMS, "SCO-06");
    }

    #[test]
    fn a_bug_is_not_described() {
        let bug = || Error::internal("relation memories does not exist");
        for error in [of_tool(&bug()).expect_err("an error"), of_list(&bug()), of_resource(&bug(), "memories://x")] {
            assert_eq!((error.code, error.data), (ErrorCode::INTERNAL_ERROR, None));
            assert!(!error.message.contains("relation"));
        }
    }

    #[test]
    fn what_cannot_be_seen_is_named_by_its_uri_alone() {
        let error = of_resource(&Error::NotFound, "memories://x");

        assert_eq!(error.code, ErrorCode::RESOURCE_NOT_FOUND);
        assert_eq!(error.data, Some(json!({ "uri": "memories://x" })));
    }

    #[test]
    fn a_bad_cursor_is_an_invalid_parameter() {
        assert_eq!(of_list(&Error::invalid("cursor", "x")).code, ErrorCode::INVALID_PARAMS);
    }
}
