//! Why there is no ordinary page, in words for the person who wanted it.

use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use picard_crypto::Busy;

use crate::db::DatabaseError;
use crate::server_client::{Outage, TokenError, ToolError};
use crate::tokens::{CallError, ConnectionError};

/// What went wrong and what to do about it; nothing in it is secret.
#[derive(Debug, Clone)]
pub(crate) struct Explanation {
    pub(crate) status: StatusCode,
    pub(crate) heading: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after: Option<u64>,
    /// Whether the connections page is where it can be mended.
    pub(crate) is_about_connection: bool,
    /// What the person had typed and should be able to copy.
    pub(crate) kept_text: Option<String>,
}

/// The end of a request without an ordinary page.
#[derive(Debug)]
pub(crate) enum PageError {
    /// The page is another one.
    Elsewhere(String),
    /// There is only an explanation.
    Explained(Box<Explanation>),
}

impl Explanation {
    pub(crate) fn new(status: StatusCode, heading: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, heading, message, retry_after: None, is_about_connection: false, kept_text: None }
    }

    fn retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after = seconds;
        self
    }

    fn about_connection(mut self) -> Self {
        self.is_about_connection = true;
        self
    }

    /// A form without the token of this session (LOG-01, WEB-03).
    pub(crate) fn untrusted_form(kept_text: Option<String>) -> Self {
        let message = "You may have signed out in another tab, or the page was open for very long. Nothing was \
                       changed. Open the page again and repeat what you did.";
        let mut explanation = Explanation::new(StatusCode::FORBIDDEN, "This form is no longer valid", message);
        explanation.kept_text = kept_text;
        explanation
    }

    /// What a bare status means, for answers that were made without words.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (heading, message) = match status {
            StatusCode::NOT_FOUND => {
                ("This page does not exist", "The address may be mistyped, or what was here has been deleted.")
            }
            StatusCode::METHOD_NOT_ALLOWED => ("That is not possible here", "This address does not take that kind of request."),
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("That is too much at once", "A memory can have 32,768 characters. Please shorten the text.")
            }
            status if status.is_client_error() => ("That did not work", "The request could not be understood."),
            _ => ("Something went wrong on our side", "Nothing was lost. Please try again in a moment."),
        };
        Self::new(status, heading, message)
    }
}

impl PageError {
    pub(crate) fn not_found() -> Self {
        Explanation::of_status(StatusCode::NOT_FOUND).into()
    }

    /// A form that cannot be accepted.
    pub(crate) fn untrusted_form(kept_text: Option<String>) -> Self {
        Explanation::untrusted_form(kept_text).into()
    }

    /// A failure of the program, which the log explains.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Explanation::of_status(StatusCode::INTERNAL_SERVER_ERROR).into()
    }
}

impl From<Explanation> for PageError {
    fn from(explanation: Explanation) -> Self {
        Self::Explained(Box::new(explanation))
    }
}

fn database_away() -> Explanation {
    let message = "The application cannot reach its database at the moment. Please try again shortly.";
    Explanation::new(StatusCode::SERVICE_UNAVAILABLE, "Back in a moment", message).retry_after(Some(5))
}

impl From<&DatabaseError> for Explanation {
    fn from(error: &DatabaseError) -> Self {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(cause, "the database failed");
        if error.is_unavailable() { database_away() } else { Self::of_status(StatusCode::INTERNAL_SERVER_ERROR) }
    }
}

impl From<DatabaseError> for PageError {
    fn from(error: DatabaseError) -> Self {
        Explanation::from(&error).into()
    }
}

impl From<tower_sessions::session::Error> for PageError {
    fn from(error: tower_sessions::session::Error) -> Self {
        tracing::error!(%error, "the session store failed");
        database_away().into()
    }
}

impl From<Busy> for PageError {
    fn from(_: Busy) -> Self {
        let message = "Many people are signing in at the moment. Please try again in a few seconds.";
        Explanation::new(StatusCode::SERVICE_UNAVAILABLE, "One moment, please", message).retry_after(Some(5)).into()
    }
}

impl From<&Outage> for Explanation {
    fn from(outage: &Outage) -> Self {
        let cause = std::error::Error::source(outage).map(ToString::to_string);
        tracing::warn!(%outage, cause, "the Picard server did not help");
        match outage {
            Outage::Away(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The Picard server cannot be reached",
                "Your memories are safe there, but it does not answer at the moment. Please try again shortly.",
            )
            .retry_after(Some(5)),
            Outage::Unusable(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "The Picard server is in trouble",
                "It gave an answer that makes no sense here. Please try again; if it stays like this, tell the \
                 operator.",
            ),
        }
    }
}

fn too_many(seconds: Option<u64>) -> Explanation {
    let message = "The Picard server asks for a short break, because many requests came at once.";
    Explanation::new(StatusCode::TOO_MANY_REQUESTS, "A little slower, please", message).retry_after(Some(seconds.unwrap_or(30)))
}

impl From<&TokenError> for Explanation {
    fn from(error: &TokenError) -> Self {
        let operator = "This application is not registered at the Picard server, or its credentials have changed. \
                        The operator has to run “picard-web register-client --env-file .env” as an administrator \
                        of the server, and start the application again.";
        match error {
            TokenError::InvalidClient | TokenError::UnauthorizedClient => {
                Self::new(StatusCode::BAD_GATEWAY, "The operator has to do something first", operator)
            }
            TokenError::AccountLinkRequired => Self::new(
                StatusCode::CONFLICT,
                "This account belongs to somebody already",
                "Your username or e-mail address is in use by another account of the Picard server. To protect \
                 that account, it cannot be used from here. Register here under another username and another \
                 e-mail address (or none), and connect that account.",
            ),
            TokenError::AccessDenied => Self::new(
                StatusCode::FORBIDDEN,
                "The Picard server refuses this account",
                "The account there is deactivated or belongs to an administrator. An administrator of the server \
                 can say more.",
            ),
            TokenError::UserNotFound | TokenError::InvalidGrant => Self::new(
                StatusCode::FORBIDDEN,
                "The connection has ended",
                "The account at the Picard server is not there any more. You can connect again to start a new one.",
            ),
            TokenError::RateLimited(seconds) => too_many(*seconds),
            TokenError::Outage(outage) => outage.into(),
        }
    }
}

impl From<&ConnectionError> for Explanation {
    fn from(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::NotConnected => Self::new(
                StatusCode::FORBIDDEN,
                "You are not connected",
                "Connect this application to the Picard server first; your memories live there.",
            ),
            ConnectionError::NotRegistered => (&TokenError::InvalidClient).into(),
            ConnectionError::Unreadable(_) | ConnectionError::OtherAccount => Self::new(
                StatusCode::FORBIDDEN,
                "The connection has to be made again",
                "The stored access to the Picard server cannot be used any more. Connect again; your memories \
                 are untouched.",
            ),
            ConnectionError::Refused(error) => error.into(),
            ConnectionError::Database(error) => error.into(),
        }
        .about_connection()
    }
}

impl From<&ToolError> for Explanation {
    fn from(error: &ToolError) -> Self {
        match error {
            ToolError::InvalidToken => Self::new(
                StatusCode::FORBIDDEN,
                "The connection has ended",
                "The Picard server does not accept this application's access any more. Connect again to go on.",
            )
            .about_connection(),
            ToolError::Invalid(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Please check what you entered", "Something is not right yet.")
            }
            ToolError::NotFound => Self::new(
                StatusCode::NOT_FOUND,
                "This memory is not here",
                "It may have been deleted, or it is private to somebody else.",
            ),
            ToolError::Forbidden => {
                Self::new(StatusCode::FORBIDDEN, "You may not do this", "Only the owner of a memory can change it.")
            }
            ToolError::VersionMismatch | ToolError::Conflict => Self::new(
                StatusCode::CONFLICT,
                "Somebody was faster",
                "The memory has changed in the meantime. Look at it again and repeat what you did.",
            ),
            ToolError::TooLarge => Self::of_status(StatusCode::PAYLOAD_TOO_LARGE),
            ToolError::RateLimited(seconds) => too_many(*seconds),
            ToolError::Outage(outage) => outage.into(),
        }
    }
}

impl From<&CallError> for Explanation {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Connection(error) => error.into(),
            CallError::Tool(error) => error.into(),
        }
    }
}

impl From<CallError> for PageError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Connection(ConnectionError::NotConnected) => Self::Elsewhere("/connect".into()),
            error => Explanation::from(&error).into(),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::Elsewhere(path) => see_other(&path),
            Self::Explained(explanation) => {
                let mut response = explanation.status.into_response();
                if let Some(seconds) = explanation.retry_after {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                // `error_pages` writes the page; it knows the visitor.
                response.extensions_mut().insert(*explanation);
                response
            }
        }
    }
}

/// Sends the browser to another page of this application, with a GET.
pub(crate) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
