//! The little that is needed of a browser to fill in the web application's forms.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Client, Response};

use super::failed;
use crate::problem::Problem;

/// Cookies and one origin.
pub(super) struct Browser {
    http: Client,
    origin: String,
    cookies: BTreeMap<String, String>,
}

/// How a form was taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SignIn {
    /// It led on to another page.
    Done,
    /// The form was shown again.
    Refused,
}

impl Browser {
    /// Somebody who comes for the first time.
    pub(super) fn new(http: Client, origin: &str) -> Self {
        Self { http, origin: origin.to_owned(), cookies: BTreeMap::new() }
    }

    /// Opens the page with the form, fills it in and sends it.
    pub(super) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<SignIn, Problem> {
        let doing = format!("fill in {path} of the web application");
        let url = format!("{}{path}", self.origin);
        let shown = self.http.get(&url).header(COOKIE, self.cookie_header()).send().await;
        let shown = shown.map_err(|error| failed(&doing, &error))?;
        self.keep_cookies(&shown);
        let page = shown.text().await.map_err(|error| failed(&doing, &error))?;
        let token = form_token(&page).ok_or_else(|| Problem::new(format!("cannot {doing}: the page has no form")))?;
        let form: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", token)]).collect();
        let request = self.http.post(&url).header(COOKIE, self.cookie_header()).header(ORIGIN, &self.origin);
        let answer = request.form(&form).send().await.map_err(|error| failed(&doing, &error))?;
        self.keep_cookies(&answer);
        let status = answer.status();
        if status.is_server_error() {
            return Err(Problem::new(format!("cannot {doing}: it answers {status}")));
        }
        Ok(if status.is_redirection() { SignIn::Done } else { SignIn::Refused })
    }

    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep_cookies(&mut self, response: &Response) {
        for header in response.headers().get_all(SET_COOKIE) {
            let cookie = header.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            if let Some((name, value)) = cookie.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// The hidden field that proves that the form was shown to this visitor.
fn form_token(page: &str) -> Option<&str> {
    let (_, after) = page.split_once("name=\"csrf\" value=\"")?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::form_token;

    #[test]
    fn the_token_of_a_form_is_found() {
        let page = r#"<form><input type="hidden" name="csrf" value="abc-1"><input name="x"></form>"#;

        assert_eq!(form_token(page), Some("abc-1"));
        assert_eq!(form_token("<form></form>"), None);
    }
}
