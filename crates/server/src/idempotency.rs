//! The key under which a request counts once, from its header.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use picard_domain::Error;

use crate::bearer::ApiError;
use crate::state::AppState;

/// The header `Idempotency-Key`, if there is one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl FromRequestParts<AppState> for IdempotencyKey {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let refused = |error| ApiError(error, state.app.public_url().to_owned()).into_response();
        idempotency_key(&parts.headers).map(Self).map_err(refused)
    }
}

/// The key under which a call counts once (draft-ietf-httpapi-idempotency-key-header), with or without its quotes.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text =
                value.to_str().map_err(|_| Error::invalid("Idempotency-Key", "must have visible ASCII characters only"))?;
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Ok(Some(inner.unwrap_or(text).to_owned()))
        }
        (Some(_), Some(_)) => Err(Error::invalid("Idempotency-Key", "must be given once")),
    }
}
