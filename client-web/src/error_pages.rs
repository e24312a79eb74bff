//! Turns every failure into a page with the visitor's own navigation.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tower_http::csrf::ProtectionError;
use tower_sessions::Session;

use crate::error::Explanation;
use crate::frame::{Frame, Section, page};
use crate::preferences::Preferences;
use crate::request_log::RequestId;
use crate::state::AppState;
use crate::visitor::Visitor;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    heading: &'static str,
    message: String,
    explanation: Explanation,
    request_id: String,
}

/// Replaces answers that are failures but no pages.
pub(crate) async fn layer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Session>().cloned();
    let browser = Preferences::of_browser(request.headers(), state.is_https);
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let mut response = next.run(request).await;
    let status = response.status();
    let is_page = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let explanation = explanation_of(&mut response);
    let mut frame = frame_for(session, &state, browser).await;
    let (heading, message) = explanation.reason.said(frame.words);
    frame.title = heading.to_owned();
    let headers = std::mem::take(response.headers_mut());
    let mut replacement = page(status, &ErrorPage { frame, heading, message, explanation, request_id });
    for (name, value) in &headers {
        if name.as_str() != "content-type" && name.as_str() != "content-length" {
            replacement.headers_mut().append(name, value.clone());
        }
    }
    replacement
}

fn explanation_of(response: &mut Response) -> Explanation {
    if let Some(explanation) = response.extensions_mut().remove::<Explanation>() {
        return explanation;
    }
    if response.extensions().get::<ProtectionError>().is_some() {
        return Explanation::untrusted_form(None);
    }
    Explanation::of_status(response.status())
}

async fn frame_for(session: Option<Session>, state: &AppState, browser: Preferences) -> Frame {
    let visitor = match session {
        Some(session) => Visitor::of(session, state, browser.clone()).await.ok(),
        None => None,
    };
    match visitor {
        Some(visitor) => Frame::new(&visitor, "", Section::None),
        // Without the database nobody can be recognised, but a page there must be.
        None => Frame::anonymous("", &browser),
    }
}

/// What is answered when a handler panics; the page is written by `layer`.
pub(crate) fn after_panic(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a request handler panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
