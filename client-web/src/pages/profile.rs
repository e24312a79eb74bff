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
}

impl Fields {
    fn of(member: &Member) -> Self {
        let settings = &member.person.settings;
        Self {
            language: settings.language.map(|language| language.words().code.to_owned()).unwrap_or_default(),
            theme: settings.theme.code().to_owned(),
            zone: settings.zone.as_ref().map(|zone| zone.name().to_owned()).unwrap_or_default(),
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
}

impl From<Profile> for Public {
    fn from(profile: Profile) -> Self {
        let is_listed = if profile.is_listed { "yes".to_owned() } else { String::new() };
        Self { display_name: profile.display_name.unwrap_or_default(), bio: profile.bio.unwrap_or_default(), is_listed }
    }
}

#[derive(Template)]
#[template(path = "profile.html")]
pub(super) struct ProfilePage {
    frame: Frame,
    fields: Fields,
    errors: FieldErrors,
    /// `None` when there is no connection or the server does not say.
    pub(super) public: Option<Public>,
}

impl ProfilePage {
    pub(super) fn new(member: &Member, errors: FieldErrors) -> Self {
        let frame = Frame::new(&member.visitor, member.words().account.settings, Section::Profile);
        Self { frame, fields: Fields::of(member), errors, public: None }
    }

    pub(super) fn response(&self) -> Response {
        page(self.errors.status, self)
    }
}

/// `GET /profile`
pub(crate) async fn show(State(state): State<AppState>, member: Member, Query(done): Query<Done>) -> Response {
    let mut page = ProfilePage::new(&member, FieldErrors::none());
    page.frame = page.frame.with_notice(done.done.as_deref());
    if member.person.connection.is_some() {
        // The settings that are kept here can be changed without the server.
        let found = tokens::call::<Profile>(&state, &member.person, &Call::get("/api/users/me", &[])).await;
        page.public = found.ok().map(Public::from);
    }
    page.response()
}

/// `POST /profile`
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let zone = fields.zone.trim();
    if !zone.is_empty() && Zone::parse(zone).is_none() {
        let errors = FieldErrors::one("zone", member.words().account.zone_unknown);
        let mut page = ProfilePage::new(&member, errors);
        page.fields = fields;
        return Ok(page.response());
    }
    let language = Language::from_code(&fields.language).map(|language| language.words().code);
    let theme = Some(Theme::from_code(&fields.theme).code()).filter(|code| !code.is_empty());
    let zone = Some(zone).filter(|zone| !zone.is_empty());
    people::set_preferences(&state.pool, member.person.id, language, theme, zone).await?;
    Ok(see_other("/profile?done=settings"))
}
