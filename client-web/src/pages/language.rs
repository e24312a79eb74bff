//! The language of people who are not signed in: kept in their browser.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use http::header::{REFERER, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::error::see_other;
use crate::preferences::language_cookie;
use crate::state::AppState;
use crate::words::Language;

/// The button that was pressed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    language: String,
}

/// `POST /language`. There need not be a session, so there is no form token; pages of other sites are kept out by the
/// layer that looks where a form comes from, and nothing but a cookie is at stake.
pub(crate) async fn submit(State(state): State<AppState>, headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
    let mut response = see_other(&came_from(&headers));
    if let Some(language) = Language::from_code(&fields.language) {
        let secure = if state.is_https { "; Secure" } else { "" };
        let code = language.words().code;
        let name = language_cookie(state.is_https);
        let cookie = format!("{name}={code}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

/// The page with the button: of its address only what is ours to say.
fn came_from(headers: &HeaderMap) -> String {
    let address = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let Some(address) = address.and_then(|address| url::Url::parse(address).ok()) else {
        return "/".to_owned();
    };
    let query = address.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = address.path();
    let is_page = path.starts_with('/') && !path.starts_with("//");
    if is_page { format!("{path}{query}") } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::came_from;

    #[test]
    fn changing_the_language_leads_back_to_a_page_of_ours_log_12() {
        for (address, path) in [
            ("https://picard.example/login?next=%2Fmemories", "/login?next=%2Fmemories"),
            ("https://evil.example/register", "/register"),
            ("https://picard.example//evil.example", "/"),
            ("https://picard.example/\\evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("no address", "/"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("referer", address.parse().expect("a value"));
            assert_eq!(came_from(&headers), path, "{address}");
        }
        assert_eq!(came_from(&HeaderMap::new()), "/");
    }
}
