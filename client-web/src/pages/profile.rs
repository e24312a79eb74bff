//! The settings: how the application looks and speaks, what others see of the person, the password, the end.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::field_errors::FieldErrors;
use super::home::Done;
use crate::db::people;
use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::frame::{Frame, Section, page};
use crate::preferences::{Theme, Zone};
use crate::server_client::{Call, Profile};
use crate::state::AppState;
use crate::tokens;
use crate::visitor::Member;
use crate::words::Language;

/// How the application shall look and speak; empty means: as the browser says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    language: String,
    theme: String,
    zone: String,
    #[serde(flatten)]
    kept: Kept,
}

/// What was typed into the page's other forms and not sent yet; the page's script sends it along so that it is still
/// there when the page comes back with an error.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    kept_language: Option<String>,
    kept_theme: Option<String>,
    kept_zone: Option<String>,
    kept_display_name: Option<String>,
    kept_bio: Option<String>,
    kept_is_listed: Option<String>,
}

impl Fields {
    fn of(member: &Member) -> Self {
        let settings = &member.person.settings;
        Self {
            language: settings.language.map(|language| language.words().code.to_owned()).unwrap_or_default(),
            theme: settings.theme.code().to_owned(),
            zone: settings.zone.as_ref().map(|zone| zone.name().to_owned()).unwrap_or_default(),
            kept: Kept::default(),
        }
    }
}

/// What others see of the person.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Public {
    pub(super) display_name: String,
    pub(super) bio: String,
    /// Not empty when the directory may show the person.
    pub(super) is_listed: String,
    #[serde(flatten)]
    pub(super) kept: Kept,
}

impl From<Profile> for Public {
    fn from(profile: Profile) -> Self {
        let is_listed = if profile.is_listed { "yes".to_owned() } else { String::new() };
        let (display_name, bio) = (profile.display_name.unwrap_or_default(), profile.bio.unwrap_or_default());
        Self { display_name, bio, is_listed, kept: Kept::default() }
    }
}

#[derive(Template)]
#[template(path = "profile.html")]
pub(super) struct ProfilePage {
    frame: Frame,
    fields: Fields,
    errors: FieldErrors,
    /// Whether the account at the server can go as well.
    can_delete_everywhere: bool,
    /// Whether the person signed in to it at the server.
    is_by_code: bool,
    /// `None` when there is no connection or the server does not say.
    public: Option<Public>,
}

impl ProfilePage {
    /// The page with what was typed and, where nothing was, with what is stored.
    pub(super) async fn load(state: &AppState, member: &Member, errors: FieldErrors, mut kept: Kept) -> Self {
        let public = match (kept.kept_display_name.take(), &member.person.connection) {
            (Some(display_name), Some(_)) => Some(Public {
                display_name,
                bio: kept.kept_bio.take().unwrap_or_default(),
                is_listed: kept.kept_is_listed.take().unwrap_or_default(),
                kept: Kept::default(),
            }),
            (None, Some(_)) => stored_public(state, member).await,
            (_, None) => None,
        };
        Self::with_public(member, errors, kept, public)
    }

    /// The page with this as what others see.
    pub(super) fn with_public(member: &Member, errors: FieldErrors, kept: Kept, public: Option<Public>) -> Self {
        let frame = Frame::new(&member.visitor, member.words().account.settings, Section::Profile);
        let stored = Fields::of(member);
        let fields = Fields {
            language: kept.kept_language.unwrap_or(stored.language),
            theme: kept.kept_theme.unwrap_or(stored.theme),
            zone: kept.kept_zone.unwrap_or(stored.zone),
            kept: Kept::default(),
        };
        let connection = member.person.connection.as_ref();
        let is_by_code = connection.is_some_and(|connection| connection.is_by_code);
        let can_delete_everywhere = connection.is_some_and(|connection| connection.can_write || !connection.is_by_code);
        Self { frame, fields, errors, can_delete_everywhere, is_by_code, public }
    }

    pub(super) fn response(&self) -> Response {
        page(self.errors.status, self)
    }
}

/// What the server keeps. The settings that are kept here can be changed without it.
async fn stored_public(state: &AppState, member: &Member) -> Option<Public> {
    let found = tokens::call::<Profile>(state, &member.person, &Call::get("/api/users/me", &[])).await;
    found.ok().map(Public::from)
}

/// `GET /profile`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(done): Query<Done>) -> Response {
    let mut page = ProfilePage::load(&state, &member, FieldErrors::none(), Kept::default()).await;
    page.frame = page.frame.with_notice(done.done.as_deref());
    page.response()
}

/// `POST /profile`
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, mut fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let zone = fields.zone.trim();
    if !zone.is_empty() && Zone::parse(zone).is_none() {
        let errors = FieldErrors::one("zone", member.words().account.zone_unknown);
        let mut page = ProfilePage::load(&state, &member, errors, std::mem::take(&mut fields.kept)).await;
        page.fields = fields;
        return Ok(page.response());
    }
    let language = Language::from_code(&fields.language).map(|language| language.words().code);
    let theme = Some(Theme::from_code(&fields.theme).code()).filter(|code| !code.is_empty());
    let zone = Some(zone).filter(|zone| !zone.is_empty());
    people::set_preferences(&state.pool, member.person.id, language, theme, zone).await?;
    Ok(see_other("/profile?done=settings"))
}
