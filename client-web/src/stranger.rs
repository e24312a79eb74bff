//! Forms of people who are not signed in: their token follows from a cookie of their own, so that showing a form stores
//! nothing (WEB-03) and no other browser's token is worth anything (LOG-01).

use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use picard_crypto::{ExposeSecret, SecretString, hash_token, random_token};

use crate::preferences::cookie;

/// The cookie that a stranger's forms are bound to. It is of no use after the sign-in (LOG-02).
#[derive(Debug, Clone)]
pub(crate) struct FormCookie {
    value: SecretString,
    is_new: bool,
    is_https: bool,
}

/// Browsers accept the `__Host-` prefix only over HTTPS (LOG-03).
fn name(is_https: bool) -> &'static str {
    if is_https { "__Host-picard_web_form" } else { "picard_web_form" }
}

impl FormCookie {
    /// The browser's, if it has one of ours.
    pub(crate) fn sent(headers: &HeaderMap, is_https: bool) -> Option<Self> {
        let value = cookie(headers, name(is_https))?;
        let is_ours = value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        is_ours.then(|| Self { value: SecretString::from(value), is_new: false, is_https })
    }

    /// A new one.
    pub(crate) fn new(is_https: bool) -> Self {
        Self { value: random_token(), is_new: true, is_https }
    }

    /// The token of the forms: it says nothing about the cookie.
    pub(crate) fn token(&self) -> String {
        let hash = hash_token(&format!("form {}", self.value.expose_secret()));
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Gives the browser a cookie that it does not have yet; it keeps it until it is closed.
    pub(crate) fn keep(&self, response: &mut Response) {
        if !self.is_new {
            return;
        }
        let secure = if self.is_https { "; Secure" } else { "" };
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}", name(self.is_https), self.value.expose_secret());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
}
