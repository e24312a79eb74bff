//! Why something was not done, in words that know no transport.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::Scope;

/// What is wrong with one member of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The member's path, for example `tags[3]`; empty for the request as a whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    /// Names a member and what is wrong with it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

type Source = Box<dyn StdError + Send + Sync>;

/// Every way in which a request can fail. `Display` is what the person may read; the cause is in `source()`.
#[derive(Debug)]
pub enum Error {
    /// The request says something that cannot be.
    Invalid(Vec<FieldError>),
    /// No token, or one that is not valid (any more).
    Unauthorized,
    /// The token lacks a scope.
    InsufficientScope(Scope),
    /// The caller may see it but not change it.
    Forbidden,
    /// There is no such thing, or the caller may not see it: nobody can tell which.
    NotFound,
    /// The catalogue has no tool of that name.
    UnknownTool,
    /// It clashes with something that is already there.
    Conflict(String),
    /// The idempotency key was used for another call.
    IdempotencyMismatch,
    /// The memory has another version than the one that was to be changed.
    VersionMismatch {
        /// The memory's present version.
        current: i64,
    },
    /// Too many requests.
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Something that Picard needs is away at the moment.
    Unavailable {
        /// What is away, in words for the caller.
        what: &'static str,
        /// How long to wait.
        retry_after: Duration,
        /// The cause, for the log.
        source: Option<Source>,
    },
    /// A bug, or data that cannot be read.
    Internal(Source),
}

impl Error {
    /// One wrong member.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// A bug, with its cause.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// Something is away; callers are asked to come back in two seconds.
    pub fn unavailable(what: &'static str, source: impl Into<Source>) -> Self {
        Self::Unavailable { what, retry_after: Duration::from_secs(2), source: Some(source.into()) }
    }

    /// The stable word that clients switch on.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Unauthorized => "invalid_token",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::UnknownTool => "unknown_tool",
            Self::Conflict(_) => "conflict",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// How long the caller should wait before trying again, where that helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(errors) => {
                for (index, error) in errors.iter().enumerate() {
                    let separator = if index > 0 { "; " } else { "" };
                    let colon = if error.field.is_empty() { "" } else { ": " };
                    write!(f, "{separator}{}{colon}{}", error.field, error.message)?;
                }
                Ok(())
            }
            Self::Unauthorized => f.write_str("A valid access token is needed: get one, or refresh the one you have."),
            Self::InsufficientScope(scope) => write!(f, "The access token lacks the scope {scope}."),
            Self::Forbidden => f.write_str("You may read this but not change it."),
            Self::NotFound => f.write_str("There is nothing here that you may see."),
            Self::UnknownTool => f.write_str("There is no tool of this name; GET /openapi.json lists them."),
            Self::Conflict(message) => f.write_str(message),
            Self::IdempotencyMismatch => {
                f.write_str("This idempotency key was used for another call: take a new key for a new call.")
            }
            Self::VersionMismatch { current } => {
                write!(f, "The memory has changed: its version is now {current}. Read it again and repeat the change.")
            }
            Self::RateLimited { retry_after } => write!(f, "Too many requests; try again in {} s.", retry_after.as_secs().max(1)),
            Self::Unavailable { what, .. } => {
                write!(f, "{what} is not available at the moment; try again shortly.")
            }
            Self::Internal(_) => f.write_str("Something went wrong on our side. The request id helps to find it in the log."),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Internal(source) | Self::Unavailable { source: Some(source), .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
