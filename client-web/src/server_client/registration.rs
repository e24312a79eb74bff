//! Registration of this application by an administrator.

use http::{Method, StatusCode};
use picard_crypto::SecretString;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::administration::{Administrator, Client};
use super::answer::{Answer, Outage};
use super::tools::Call;
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

impl From<Outage> for RegistrationFailure {
    fn from(outage: Outage) -> Self {
        match outage {
            Outage::Away(_) => Self::Unreachable,
            Outage::Unusable(reason) => Self::Rejected(reason.to_owned()),
            Outage::TooLarge => Self::Rejected(outage.to_string()),
        }
    }
}

impl ServerClient {
    /// Registers a confidential client that may read and write memories.
    pub(crate) async fn register(&self, who: &Administrator, callback: &str) -> Result<ClientCredentials, RegistrationFailure> {
        let body = json!({
            "client_name": "Picard web",
            "redirect_uris": [callback],
            "scopes": ["memories:read", "memories:write"],
            "is_confidential": true,
        });
        let call = Call::send(Method::POST, "/api/admin/clients/register", Some(body));
        let answer = self.administrator_answer(who, &call).await?;
        if answer.status.is_success() { credentials(&answer) } else { Err(refusal(&answer)) }
    }

    /// A client as the server knows it, if it does.
    pub(crate) async fn registered(&self, who: &Administrator, client_id: &str) -> Result<Option<Client>, RegistrationFailure> {
        let Ok(id) = client_id.parse::<Uuid>() else {
            return Ok(None);
        };
        let answer = self.administrator_answer(who, &Call::get(&format!("/api/admin/clients/{id}"), &[])).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.json()?)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refusal(&answer)),
        }
    }

    /// Has codes sent to this address from now on, and to no other.
    pub(crate) async fn move_client(
        &self,
        who: &Administrator,
        client: &Client,
        callback: &str,
    ) -> Result<(), RegistrationFailure> {
        let body = json!({
            "client_name": client.client_name,
            "redirect_uris": [callback],
            "scopes": client.scopes,
            "is_confidential": client.is_confidential,
        });
        let call = Call::send(Method::PUT, &format!("/api/admin/clients/{}", client.client_id), Some(body));
        let answer = self.administrator_answer(who, &call).await?;
        if answer.status.is_success() { Ok(()) } else { Err(refusal(&answer)) }
    }
}

fn credentials(answer: &Answer) -> Result<ClientCredentials, RegistrationFailure> {
    let registered: Registered = answer.json()?;
    Ok(ClientCredentials::new(&registered.client_id, SecretString::from(registered.client_secret)))
}

fn refusal(answer: &Answer) -> RegistrationFailure {
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistrationFailure::Refused,
        status => {
            let problem: Problem = answer.json().unwrap_or_default();
            RegistrationFailure::Rejected(format!("{status} {}", problem.detail))
        }
    }
}
