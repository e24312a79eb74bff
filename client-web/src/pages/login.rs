//! Signing in.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use picard_crypto::{SecretString, Verdict};
use serde::Deserialize;
use uuid::Uuid;

use super::field_errors::FieldErrors;
use super::home::Done;
use crate::accounts::folded;
use crate::address::ClientAddress;
use crate::db::people;
use crate::error::{Explanation, PageError, Reason, see_other};
use crate::form::VisitorForm;
use crate::frame::{Frame, Section, page};
use crate::limits::{self, Decision, Try};
use crate::state::AppState;
use crate::visitor::Visitor;

/// What the form asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    username: String,
    password: String,
    next: String,
}

/// Where to go afterwards.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    next: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    username: String,
    next: String,
    errors: FieldErrors,
}

/// `GET /login`
pub(crate) async fn show(
    State(state): State<AppState>,
    mut visitor: Visitor,
    Query(wish): Query<Wish>,
    Query(done): Query<Done>,
) -> Result<Response, PageError> {
    if visitor.person.is_some() {
        return Ok(see_other(&own_path(&wish.next)));
    }
    visitor.prepare_form(&state);
    let fields = Fields { next: wish.next, ..Fields::default() };
    Ok(visitor.with_form_cookie(form_page(&visitor, fields, FieldErrors::none(), done.done.as_deref())))
}

/// `POST /login`
pub(crate) async fn submit(
    State(state): State<AppState>,
    ClientAddress(address): ClientAddress,
    VisitorForm { visitor, fields }: VisitorForm<Fields>,
) -> Result<Response, PageError> {
    let account = folded(fields.username.trim());
    let permit = match limits::ask(&state.pool, Try::SignIn, &account, address).await? {
        Decision::GoOn(permit) => permit,
        Decision::Wait(seconds) => return Err(too_many(seconds)),
    };
    match verified(&state, &account, &fields.password).await? {
        Some(person_id) => {
            permit.take_back(&state.pool).await?;
            visitor.sign_in(person_id).await?;
            tracing::info!(event = "signed_in", user.id = %person_id, client.address = %address, "a person signed in");
            Ok(see_other(&own_path(&fields.next)))
        }
        None => {
            tracing::warn!(event = "sign_in_failed", client.address = %address, "a sign-in failed");
            let errors = FieldErrors::one("", visitor.words().account.wrong);
            Ok(form_page(&visitor, fields, errors, None))
        }
    }
}

/// Checks a password. An unknown account costs the same work as a wrong password (LOG-05).
async fn verified(state: &AppState, account: &str, password: &str) -> Result<Option<Uuid>, PageError> {
    // No password is longer, so nothing is lost and nothing can be slowed down with megabytes (LOG-10).
    if password.len() > 4_096 || account.len() > 1_024 || account.contains('\0') {
        return Ok(None);
    }
    let found = people::credentials(&state.pool, account).await?;
    let stored = found.as_ref().map(|credentials| credentials.password_hash.as_str());
    let verdict = state.passwords.verify(SecretString::from(password), stored).await?;
    let Some(credentials) = found.filter(|_| verdict != Verdict::NoMatch) else {
        return Ok(None);
    };
    if verdict == Verdict::MatchNeedsRehash {
        let hash = state.passwords.hash(SecretString::from(password)).await?;
        people::replace_hash(&state.pool, credentials.id, &credentials.password_hash, &hash).await?;
    }
    Ok(Some(credentials.id))
}

/// The page to go to after signing in: only ever one of this application (LOG-12).
fn own_path(wish: &str) -> String {
    let is_own = wish.starts_with('/')
        && !wish.starts_with("//")
        && !wish.contains('\\')
        && wish.chars().all(|character| character.is_ascii_graphic());
    if is_own && !wish.starts_with("/login") { wish.to_owned() } else { "/memories".to_owned() }
}

fn too_many(seconds: u64) -> PageError {
    Explanation::new(StatusCode::TOO_MANY_REQUESTS, Reason::TooManySignIns(seconds)).retry_after(seconds).into()
}

fn form_page(visitor: &Visitor, fields: Fields, errors: FieldErrors, done: Option<&str>) -> Response {
    let frame = Frame::new(visitor, visitor.words().account.sign_in, Section::SignIn).with_notice(done);
    let status = errors.status;
    page(status, &LoginPage { frame, username: fields.username, next: fields.next, errors })
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn signing_in_leads_only_to_own_pages_log_12() {
        for bad in ["", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "/login"] {
            assert_eq!(own_path(bad), "/memories", "{bad:?}");
        }
        assert_eq!(own_path("/memories/new?x=1"), "/memories/new?x=1");
    }
}
