//! What is around every page: title, navigation, search box, sign-out form.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::assets;
use crate::visitor::Visitor;

/// The entry of the navigation that the page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    None,
    Memories,
    New,
    Search,
    Connections,
    SignIn,
    Register,
}

/// What the base template needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) section: Section,
    pub(crate) username: Option<String>,
    pub(crate) is_connected: bool,
    pub(crate) can_write: bool,
    pub(crate) csrf: String,
    pub(crate) notice: Option<&'static str>,
    pub(crate) stylesheet: String,
    pub(crate) icon: String,
}

impl Frame {
    pub(crate) fn new(visitor: &Visitor, title: impl Into<String>, section: Section) -> Self {
        let person = visitor.person.as_ref();
        let connection = person.and_then(|person| person.connection.as_ref());
        Self {
            section,
            username: person.map(|person| person.username.clone()),
            is_connected: connection.is_some(),
            can_write: connection.is_some_and(|connection| connection.can_write),
            csrf: visitor.csrf.clone().unwrap_or_default(),
            ..Self::anonymous(title)
        }
    }

    /// A frame for when nothing is known about the visitor.
    pub(crate) fn anonymous(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: Section::None,
            username: None,
            is_connected: false,
            can_write: false,
            csrf: String::new(),
            notice: None,
            stylesheet: assets::stylesheet_path(),
            icon: assets::icon_path(),
        }
    }

    /// Adds what the page should say about what was just done.
    pub(crate) fn with_notice(mut self, done: Option<&str>) -> Self {
        self.notice = done.and_then(|done| {
            Some(match done {
                "created" => "Your memory is stored.",
                "saved" => "Your changes are saved.",
                "deleted" => "The memory is deleted.",
                "public" => "This memory is public now.",
                "private" => "This memory is private now.",
                "connected" => "You are connected. Your memories will appear here.",
                "disconnected" => "You are disconnected. The Picard server has ended this application's access.",
                "disconnecting" => {
                    "You are disconnected here. The Picard server does not answer at the moment; it will be told \
                     to end this application's access as soon as it does."
                }
                "signed-out" => "You are signed out.",
                _ => return None,
            })
        });
        self
    }
}

/// Renders a page with a status.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(CONTENT_TYPE, kind)], html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
