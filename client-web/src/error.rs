//! Why there is no ordinary page, and where the words for it are.

use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use picard_crypto::Busy;

use crate::db::DatabaseError;
use crate::server_client::{Outage, TokenError, ToolError};
use crate::tokens::{CallError, ConnectionError};
use crate::words::{Words, fill};

/// What went wrong; nothing in it is secret. `said` has the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    UntrustedForm,
    Nowhere,
    Method,
    TooLarge,
    Request,
    Internal,
    DatabaseAway,
    Busy,
    ServerAway,
    ServerTrouble,
    AnswerTooLarge,
    TooManyCalls,
    /// Seconds to wait.
    TooManySignIns(u64),
    /// Seconds to wait.
    TooManyNames(u64),
    /// Seconds to wait.
    TooManyConnections(u64),
    NotRegistered,
    AccountLinked,
    OtherAccount,
    AccountDenied,
    AccountGone,
    AccessEnded,
    NotConnected,
    ConnectAgain,
    StrangeAnswer,
    NotAllowed,
    NotAuthorized,
    Invalid,
    NoMemory,
    NoPersona,
    NoGroup,
    NoPerson,
    Forbidden,
    MissingScope,
    Conflict,
}

impl Reason {
    /// A heading and what to do about it.
    pub(crate) fn said(self, words: &Words) -> (&'static str, String) {
        let words = &words.problem;
        let (heading, message) = match self {
            Self::UntrustedForm => (words.form_heading, words.form),
            Self::Nowhere => (words.nowhere_heading, words.nowhere),
            Self::Method => (words.method_heading, words.method),
            Self::TooLarge => (words.too_large_heading, words.too_large),
            Self::Request => (words.request_heading, words.request),
            Self::Internal => (words.internal_heading, words.internal),
            Self::DatabaseAway => (words.database_heading, words.database),
            Self::Busy => (words.busy_heading, words.busy),
            Self::ServerAway => (words.away_heading, words.away),
            Self::ServerTrouble => (words.trouble_heading, words.trouble),
            Self::AnswerTooLarge => (words.large_heading, words.large),
            Self::TooManyCalls => (words.slower_heading, words.slower),
            Self::TooManySignIns(seconds) => return (words.slower_heading, fill(words.sign_ins, seconds)),
            Self::TooManyNames(seconds) => return (words.slower_heading, fill(words.names, seconds)),
            Self::TooManyConnections(seconds) => return (words.slower_heading, fill(words.connections, seconds)),
            Self::NotRegistered => (words.operator_heading, words.operator),
            Self::AccountLinked => (words.linked_heading, words.linked),
            Self::OtherAccount => (words.elsewhere_heading, words.elsewhere),
            Self::AccountDenied => (words.denied_heading, words.denied),
            Self::AccountGone => (words.ended_heading, words.account_gone),
            Self::AccessEnded => (words.ended_heading, words.access_ended),
            Self::NotConnected => (words.unconnected_heading, words.unconnected),
            Self::ConnectAgain => (words.again_heading, words.again),
            Self::StrangeAnswer => (words.strange_heading, words.strange),
            Self::NotAllowed => (words.disallowed_heading, words.disallowed),
            Self::NotAuthorized => (words.unauthorized_heading, words.unauthorized),
            Self::Invalid => (words.check_heading, words.check),
            Self::NoMemory => (words.absent_heading, words.absent),
            Self::NoGroup => (words.no_group_heading, words.no_group),
            Self::NoPerson => (words.no_person_heading, words.no_person),
            Self::NoPersona => (words.silent_heading, words.silent),
            Self::Forbidden => (words.forbidden_heading, words.forbidden),
            Self::MissingScope => (words.scope_heading, words.scope),
            Self::Conflict => (words.conflict_heading, words.conflict),
        };
        (heading, message.to_owned())
    }
}

/// What went wrong, and what a page needs to know besides.
#[derive(Debug, Clone)]
pub(crate) struct Explanation {
    pub(crate) status: StatusCode,
    pub(crate) reason: Reason,
    /// Seconds.
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
    pub(crate) fn new(status: StatusCode, reason: Reason) -> Self {
        Self { status, reason, retry_after: None, is_about_connection: false, kept_text: None }
    }

    /// Says after how many seconds trying again may help.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Says that the connections page is where it can be mended.
    pub(crate) fn about_connection(mut self) -> Self {
        self.is_about_connection = true;
        self
    }

    /// Shows what the person had typed, to be copied.
    pub(crate) fn keeping(mut self, text: &str) -> Self {
        self.kept_text = Some(text.to_owned()).filter(|text| !text.trim().is_empty());
        self
    }

    /// A form without the token of this session (LOG-01, WEB-03).
    pub(crate) fn untrusted_form(kept_text: Option<String>) -> Self {
        let mut explanation = Explanation::new(StatusCode::FORBIDDEN, Reason::UntrustedForm);
        explanation.kept_text = kept_text;
        explanation
    }

    /// What a bare status means, for answers that were made without words.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let reason = match status {
            StatusCode::NOT_FOUND => Reason::Nowhere,
            StatusCode::METHOD_NOT_ALLOWED => Reason::Method,
            StatusCode::PAYLOAD_TOO_LARGE => Reason::TooLarge,
            status if status.is_client_error() => Reason::Request,
            _ => Reason::Internal,
        };
        Self::new(status, reason)
    }
}

impl PageError {
    pub(crate) fn not_found() -> Self {
        Explanation::of_status(StatusCode::NOT_FOUND).into()
    }

    /// Shows what the person had typed, to be copied.
    pub(crate) fn keeping(self, text: &str) -> Self {
        match self {
            Self::Explained(explanation) => explanation.keeping(text).into(),
            // Whoever is sent elsewhere would lose it.
            Self::Elsewhere(_) => Explanation::from(&ConnectionError::NotConnected).keeping(text).into(),
        }
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
    Explanation::new(StatusCode::SERVICE_UNAVAILABLE, Reason::DatabaseAway).retry_after(5)
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
        Explanation::new(StatusCode::SERVICE_UNAVAILABLE, Reason::Busy).retry_after(5).into()
    }
}

impl From<&Outage> for Explanation {
    fn from(outage: &Outage) -> Self {
        let cause = std::error::Error::source(outage).map(ToString::to_string);
        tracing::warn!(%outage, cause, "the Picard server did not help");
        match outage {
            Outage::Away(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, Reason::ServerAway).retry_after(5),
            Outage::Unusable(_) => Self::new(StatusCode::BAD_GATEWAY, Reason::ServerTrouble),
            Outage::TooLarge => Self::new(StatusCode::BAD_GATEWAY, Reason::AnswerTooLarge),
        }
    }
}

fn too_many(seconds: Option<u64>) -> Explanation {
    Explanation::new(StatusCode::TOO_MANY_REQUESTS, Reason::TooManyCalls).retry_after(seconds.unwrap_or(30))
}

impl From<&TokenError> for Explanation {
    fn from(error: &TokenError) -> Self {
        match error {
            TokenError::InvalidClient | TokenError::UnauthorizedClient => {
                Self::new(StatusCode::BAD_GATEWAY, Reason::NotRegistered)
            }
            TokenError::AccountLinkRequired => Self::new(StatusCode::CONFLICT, Reason::AccountLinked),
            TokenError::AccessDenied => Self::new(StatusCode::FORBIDDEN, Reason::AccountDenied),
            TokenError::UserNotFound | TokenError::InvalidGrant => Self::new(StatusCode::FORBIDDEN, Reason::AccountGone),
            TokenError::RateLimited(seconds) => too_many(*seconds),
            TokenError::Outage(outage) => outage.into(),
        }
    }
}

impl From<&ConnectionError> for Explanation {
    fn from(error: &ConnectionError) -> Self {
        match error {
            ConnectionError::NotConnected => Self::new(StatusCode::FORBIDDEN, Reason::NotConnected),
            ConnectionError::NotRegistered => (&TokenError::InvalidClient).into(),
            ConnectionError::Unreadable(_) | ConnectionError::OtherAccount => {
                Self::new(StatusCode::FORBIDDEN, Reason::ConnectAgain)
            }
            ConnectionError::SomebodyElses => Self::new(StatusCode::CONFLICT, Reason::AccountLinked),
            ConnectionError::ConnectedElsewhere => Self::new(StatusCode::CONFLICT, Reason::OtherAccount),
            ConnectionError::Ended => Self::new(StatusCode::FORBIDDEN, Reason::AccessEnded),
            ConnectionError::Refused(error) => error.into(),
            ConnectionError::Database(error) => error.into(),
        }
        .about_connection()
    }
}

impl From<&ToolError> for Explanation {
    fn from(error: &ToolError) -> Self {
        match error {
            ToolError::InvalidToken => Self::new(StatusCode::FORBIDDEN, Reason::AccessEnded).about_connection(),
            ToolError::MissingScope => Self::new(StatusCode::FORBIDDEN, Reason::MissingScope).about_connection(),
            ToolError::Invalid(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, Reason::Invalid),
            ToolError::NotFound => Self::new(StatusCode::NOT_FOUND, Reason::NoMemory),
            ToolError::Forbidden => Self::new(StatusCode::FORBIDDEN, Reason::Forbidden),
            ToolError::VersionMismatch | ToolError::Conflict | ToolError::SentBefore => {
                Self::new(StatusCode::CONFLICT, Reason::Conflict)
            }
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
