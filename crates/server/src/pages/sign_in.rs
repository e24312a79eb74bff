//! Signing in and out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use picard_app::AskingParty;
use picard_domain::Error;
use serde::Deserialize;

use crate::pages::frame::{Frame, failure, page, see_other};
use crate::pages::session::{PageForm, Visitor};
use crate::pages::{OWN_PAGE, own_path, read_wish};
use crate::state::AppState;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    pub(crate) next: String,
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    party: Option<AskingParty>,
    next: String,
    username: String,
    problem: Option<&'static str>,
    notice: Option<&'static str>,
    is_sign_up_open: bool,
}

impl LoginPage {
    fn sign_up_path(&self) -> String {
        with_next("/signup", &self.next)
    }
}

/// The path with the page to go to afterwards.
pub(crate) fn with_next(path: &str, next: &str) -> String {
    if next == OWN_PAGE {
        return path.to_owned();
    }
    let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
    format!("{path}?next={next}")
}

/// Who asks, when the page after signing in is the authorization endpoint.
pub(crate) async fn asking_party(state: &AppState, next: &str) -> Result<Option<AskingParty>, Error> {
    match next.strip_prefix("/authorize?") {
        Some(query) => state.app.asking_party(query).await,
        None => Ok(None),
    }
}

/// Shows the sign-in page. Looking at it signs nobody in (LOG-01).
#[utoipa::path(get, path = "/login", tag = "pages", operation_id = "login_page", security(()), params(
    ("next" = Option<String>, Query, description = "Where to go afterwards: a path of the authorization endpoint")), responses(
    (status = 200, description = "The page", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn login_page(State(state): State<AppState>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let wish: Wish = read_wish(query.as_deref());
    if visitor.session.is_some() && wish.next.is_empty() {
        return see_other(OWN_PAGE);
    }
    let notice = match wish.done.as_str() {
        "signed-out" => Some(visitor.language.words().signed_out),
        _ => None,
    };
    let next = own_path(&wish.next).to_owned();
    show(&state, &visitor, StatusCode::OK, next, String::new(), None, notice).await
}

async fn show(
    state: &AppState,
    visitor: &Visitor,
    status: StatusCode,
    next: String,
    username: String,
    problem: Option<&'static str>,
    notice: Option<&'static str>,
) -> Response {
    let party = match asking_party(state, &next).await {
        Ok(party) => party,
        Err(error) => return failure(visitor.language, &error),
    };
    let origin = party.as_ref().map(|party| party.target.origin.clone());
    let login = LoginPage {
        frame: Frame::new(visitor, visitor.language.words().sign_in),
        party,
        next,
        username,
        problem,
        notice,
        is_sign_up_open: state.app.is_sign_up_open(),
    };
    page(status, &login, visitor, origin.as_deref())
}

/// Signs somebody in: a new session, and on to where they were going.
#[utoipa::path(post, path = "/login", tag = "pages", operation_id = "login", security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", example = "username=ada&password=…&csrf=…"), responses(
    (status = 303, description = "Signed in: on to where the person was going"),
    (status = 403, description = "No form that was shown to this browser", content_type = "text/html", body = String, example = "<!doctype html>…"),
    (status = 422, description = "Name or password is wrong", content_type = "text/html", body = String, example = "<!doctype html>…"),
    (status = 429, description = "Too many failed tries", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn login(State(state): State<AppState>, form: PageForm) -> Response {
    let username = form.field("username").trim().to_owned();
    let next = own_path(form.field("next")).to_owned();
    match state.app.sign_in(&username, form.field("password").into(), &form.visitor.address).await {
        Ok(token) => {
            if let Err(error) = end_session(&state, &form.visitor).await {
                return failure(form.visitor.language, &error);
            }
            let mut response = see_other(&next);
            form.visitor.start(&mut response, &token);
            response
        }
        Err(Error::Unauthorized) => {
            let problem = Some(form.visitor.language.words().wrong_password);
            show(&state, &form.visitor, StatusCode::UNPROCESSABLE_ENTITY, next, username, problem, None).await
        }
        Err(error) => failure(form.visitor.language, &error),
    }
}

/// What was signed in before is signed out on the server, too.
pub(crate) async fn end_session(state: &AppState, visitor: &Visitor) -> Result<(), Error> {
    match &visitor.session {
        Some(session) => state.app.sign_out(session).await,
        None => Ok(()),
    }
}

/// Signs out: the session ends on the server, whatever the browser keeps (LOG-02). Only ever by a form (LOG-17).
#[utoipa::path(post, path = "/logout", tag = "pages", operation_id = "logout", security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", example = "csrf=…"), responses(
    (status = 303, description = "Signed out: to the sign-in page"),
    (status = 403, description = "No form that was shown to this browser", content_type = "text/html", body = String, example = "<!doctype html>…")))]
pub(crate) async fn logout(State(state): State<AppState>, form: PageForm) -> Response {
    if let Err(error) = end_session(&state, &form.visitor).await {
        return failure(form.visitor.language, &error);
    }
    let next = own_path(form.field("next"));
    let to = if next == OWN_PAGE { "/login?done=signed-out".to_owned() } else { with_next("/login", next) };
    let mut response = see_other(&to);
    form.visitor.forget(&mut response);
    response
}
