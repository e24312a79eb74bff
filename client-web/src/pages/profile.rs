//! How the application looks and speaks to a person.

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
use crate::state::AppState;
use crate::visitor::Member;
use crate::words::Language;

/// What the form asks for; empty means: as the browser says.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    language: String,
    theme: String,
    zone: String,
}

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    frame: Frame,
    fields: Fields,
    errors: FieldErrors,
}

/// `GET /profile`
pub(crate) async fn show(member: Member, Query(done): Query<Done>) -> Response {
    let settings = &member.person.settings;
    let fields = Fields {
        language: settings.language.map(|language| language.words().code.to_owned()).unwrap_or_default(),
        theme: settings.theme.code().to_owned(),
        zone: settings.zone.as_ref().map(|zone| zone.name().to_owned()).unwrap_or_default(),
    };
    profile_page(&member, fields, FieldErrors::none(), done.done.as_deref())
}

/// `POST /profile`
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, fields }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    let zone = fields.zone.trim();
    if !zone.is_empty() && Zone::parse(zone).is_none() {
        let errors = FieldErrors::one("zone", member.words().account.zone_unknown);
        return Ok(profile_page(&member, fields, errors, None));
    }
    let language = Language::from_code(&fields.language).map(|language| language.words().code);
    let theme = Some(Theme::from_code(&fields.theme).code()).filter(|code| !code.is_empty());
    let zone = Some(zone).filter(|zone| !zone.is_empty());
    people::set_preferences(&state.pool, member.person.id, language, theme, zone).await?;
    Ok(see_other("/profile?done=settings"))
}

fn profile_page(member: &Member, fields: Fields, errors: FieldErrors, done: Option<&str>) -> Response {
    let frame = Frame::new(&member.visitor, member.words().account.settings, Section::Profile).with_notice(done);
    let status = errors.status;
    page(status, &ProfilePage { frame, fields, errors })
}
