//! Signing out.

use axum::extract::State;
use axum::response::Response;
use http::HeaderValue;
use http::header::SET_COOKIE;
use serde::Deserialize;

use crate::error::{PageError, see_other};
use crate::form::MemberForm;
use crate::router::cookie_name;
use crate::state::AppState;

/// The form has nothing but its token.
#[derive(Deserialize)]
pub(crate) struct Fields {}

/// `POST /logout`: ends the session on the server. The connection to Picard stays, as the connections page says.
pub(crate) async fn submit(
    State(state): State<AppState>,
    MemberForm { member, .. }: MemberForm<Fields>,
) -> Result<Response, PageError> {
    member.visitor.session.flush().await?;
    tracing::info!(event = "signed_out", user.id = %member.person.id, "a person signed out");
    let mut response = see_other("/?done=signed-out");
    // A browser lets go of a `__Host-` cookie only if the removal is as strict as the cookie was.
    let secure = if state.is_https { "; Secure" } else { "" };
    let removal = format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}", cookie_name(state.is_https));
    if let Ok(removal) = HeaderValue::from_str(&removal) {
        response.headers_mut().append(SET_COOKIE, removal);
    }
    Ok(response)
}
