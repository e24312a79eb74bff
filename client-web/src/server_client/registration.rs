//! Registration of this application by an administrator.

use http::StatusCode;
use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Outage};
use super::{ClientCredentials, ServerClient};

/// Why the server did not register the application.
#[derive(Debug)]
pub(crate) enum RegistrationFailure {
    Unreachable,
    Refused,
    Rejected(String),
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
}

impl ServerClient {
    /// Registers a confidential client that may read and write memories.
    pub(crate) async fn register(
        &self,
        administrator: &str,
        password: &SecretString,
        callback: &str,
    ) -> Result<ClientCredentials, RegistrationFailure> {
        let body = json!({
            "client_name": "Picard web",
            "redirect_uris": [callback],
            "scopes": ["memories:read", "memories:write"],
            "is_confidential": true,
        });
        let request = self
            .http
            .post(self.url("/api/admin/clients/register"))
            .basic_auth(administrator, Some(password.expose_secret()))
            .json(&body);
        let answer = Answer::to(request).await.map_err(|outage| match outage {
            Outage::Away(_) => RegistrationFailure::Unreachable,
            Outage::Unusable(reason) => RegistrationFailure::Rejected(reason.to_owned()),
            Outage::TooLarge => RegistrationFailure::Rejected(outage.to_string()),
        })?;
        credentials(&answer)
    }
}

fn credentials(answer: &Answer) -> Result<ClientCredentials, RegistrationFailure> {
    match answer.status {
        StatusCode::CREATED | StatusCode::OK => {
            let registered: Registered = answer.json().map_err(|outage| RegistrationFailure::Rejected(outage.to_string()))?;
            Ok(ClientCredentials::new(&registered.client_id, SecretString::from(registered.client_secret)))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(RegistrationFailure::Refused),
        status => {
            let problem: Problem = answer.json().unwrap_or_default();
            Err(RegistrationFailure::Rejected(format!("{status} {}", problem.detail)))
        }
    }
}
