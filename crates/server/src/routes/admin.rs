//! How administrators are let in, and what all lists of the administration share.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use picard_app::Administrator;
use picard_auth::client::parse_basic;
use picard_domain::page::ListLimit;
use picard_domain::{Door, Error};
use serde::Deserialize;

use crate::address;
use crate::bearer::{Resource, refuse, sent_bearer};
use crate::error::Problem;
use crate::routes::activity::limit;
use crate::state::AppState;

/// Proof that the request comes from an administrator.
pub(crate) struct Admin(pub(crate) Administrator);

impl FromRequestParts<AppState> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let address = address::of(parts, state);
        administrator(state, &parts.headers, &address).await.map(Self).map_err(|response| *response)
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// Reads the query string.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, Error> {
        let refused = |_| Error::invalid("limit", "must be a whole number from 1 to 200, and only limit and cursor may be given");
        serde_urlencoded::from_str(query.unwrap_or_default()).map_err(refused)
    }

    pub(crate) fn limit(&self) -> Result<ListLimit, Error> {
        limit(self.limit)
    }
}

/// A malformed id in a path is nothing that is there.
pub(crate) fn id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::from(Error::NotFound))
}

/// Lets administrators through, by name and password or by a token.
async fn administrator(state: &AppState, headers: &HeaderMap, address: &str) -> Result<Administrator, Box<Response>> {
    let outcome = match credentials(headers) {
        Credentials::Basic(name, password) => state.app.authenticate_administrator(&name, password.into(), address).await,
        Credentials::Bearer(token) => match state.app.authenticate_bearer(&token, Door::Rest).await {
            Ok(caller) => state.app.administrator(&caller),
            Err(error) => Err(error),
        },
        Credentials::None => Err(Error::Unauthorized),
    };
    outcome.map_err(|error| {
        let is_unauthorized = matches!(error, Error::Unauthorized);
        let was_sent = sent_bearer(headers);
        let mut response = refuse(error, state.app.public_url(), Resource::Api, was_sent);
        if is_unauthorized {
            let basic = header::HeaderValue::from_static("Basic realm=\"picard\", charset=\"UTF-8\"");
            response.headers_mut().append(header::WWW_AUTHENTICATE, basic);
        }
        Box::new(response)
    })
}

enum Credentials {
    Basic(String, String),
    Bearer(String),
    None,
}

fn credentials(headers: &HeaderMap) -> Credentials {
    let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return Credentials::None;
    };
    if let Some((name, password)) = parse_basic(value) {
        return Credentials::Basic(name, password);
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Credentials::Bearer(token.trim().to_owned()),
        _ => Credentials::None,
    }
}
