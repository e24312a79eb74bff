//! What is around every page: title, navigation, search box, sign-out form.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::assets;
use crate::preferences::Preferences;
use crate::visitor::Visitor;
use crate::words::{Words, fill};

/// The entry of the navigation that the page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    None,
    Memories,
    New,
    Search,
    Personas,
    Connections,
    Groups,
    Transfer,
    Activity,
    Analytics,
    Profile,
    SignIn,
    Register,
}

/// Where forms lead that connect the person, in the way in which they are connected already.
const DIRECTLY: &str = "/connect";
const BY_CODE: &str = "/connect/authorize";

/// What the base template needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) words: &'static Words,
    /// `light`, `dark`, or empty for the system's.
    pub(crate) theme: &'static str,
    /// Says in which zone the times are.
    pub(crate) times: String,
    pub(crate) section: Section,
    pub(crate) username: Option<String>,
    pub(crate) is_connected: bool,
    pub(crate) can_write: bool,
    /// Where the form leads that asks for more.
    pub(crate) connects_at: &'static str,
    pub(crate) csrf: String,
    pub(crate) notice: Option<&'static str>,
    pub(crate) stylesheet: String,
    pub(crate) icon: String,
    pub(crate) script: String,
    pub(crate) icons: &'static str,
    /// Whether there is a connection through which personas can be asked.
    pub(crate) has_personas: bool,
}

impl Frame {
    pub(crate) fn new(visitor: &Visitor, title: impl Into<String>, section: Section) -> Self {
        let person = visitor.person.as_ref();
        let connection = person.and_then(|person| person.connection.as_ref());
        Self {
            section,
            username: person.map(|person| person.username.clone()),
            is_connected: connection.is_some(),
            has_personas: connection.is_some(),
            can_write: connection.is_some_and(|connection| connection.can_write),
            connects_at: if connection.is_some_and(|connection| connection.is_by_code) { BY_CODE } else { DIRECTLY },
            csrf: visitor.csrf.clone().unwrap_or_default(),
            ..Self::anonymous(title, &visitor.preferences)
        }
    }

    /// A frame for when nothing is known about the visitor.
    pub(crate) fn anonymous(title: impl Into<String>, preferences: &Preferences) -> Self {
        let words = preferences.words();
        Self {
            title: title.into(),
            words,
            theme: preferences.theme.code(),
            times: fill(words.frame.times, preferences.zone.name()),
            section: Section::None,
            username: None,
            is_connected: false,
            can_write: false,
            connects_at: DIRECTLY,
            csrf: String::new(),
            notice: None,
            stylesheet: assets::stylesheet_path(),
            icon: assets::icon_path(),
            script: assets::script_path(),
            icons: assets::ICONS,
            has_personas: false,
        }
    }

    /// Adds what the page should say about what was just done.
    pub(crate) fn with_notice(mut self, done: Option<&str>) -> Self {
        let words = &self.words.notice;
        self.notice = done.and_then(|done| {
            Some(match done {
                "created" => words.created,
                "saved" => words.saved,
                "deleted" => words.deleted,
                "public" => words.public,
                "private" => words.private,
                "connected" => words.connected,
                "disconnected" => words.disconnected,
                "disconnecting" => words.disconnecting,
                "signed-out" => words.signed_out,
                "restored" => words.restored,
                "undone" => words.undone,
                "shared" => words.shared,
                "password" => words.password,
                "account-deleted" => words.account_deleted,
                "settings" => words.settings,
                "published" => words.published,
                "hidden" => words.hidden,
                "persona-deleted" => words.persona_deleted,
                "blocked" => words.blocked,
                "unblocked" => words.unblocked,
                "administration-closed" => words.administration_closed,
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
