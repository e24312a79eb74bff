//! Moving memories in and out: what the server says about imports, and exports as they come.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use picard_crypto::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::ServerClient;
use super::answer::{Answer, Outage};
use super::tools::{ToolError, failure};

/// A file may be large and the person's line slow.
const LONGEST_TRANSFER: Duration = Duration::from_secs(1_800);

/// An import that was taken in.
#[derive(Debug, Deserialize)]
pub(crate) struct ImportStarted {
    pub(crate) import_id: Uuid,
}

/// One thing that is wrong with a row.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RowError {
    /// Counted from 1.
    pub(crate) row: u64,
    pub(crate) field: String,
    pub(crate) message: String,
}

/// How an import stands.
#[derive(Debug, Deserialize)]
pub(crate) struct ImportProgress {
    /// `queued`, `running`, `done` or `failed`.
    pub(crate) status: String,
    pub(crate) total: i64,
    /// Stored, or there already.
    pub(crate) done: i64,
    pub(crate) failed: i64,
    #[serde(default)]
    pub(crate) errors: Vec<RowError>,
}

impl ServerClient {
    /// Sends memories, as fast as they come. `kind` is their media type; a wrong row of a strict import stops all of it.
    pub(crate) async fn import(
        &self,
        token: &SecretString,
        kind: &'static str,
        is_strict: bool,
        body: reqwest::Body,
    ) -> Result<ImportStarted, ToolError> {
        let path = if is_strict { "/api/memories/import?on_error=stop" } else { "/api/memories/import" };
        let request = self.http.post(self.url(path)).bearer_auth(token.expose_secret()).timeout(LONGEST_TRANSFER);
        Self::answered(request.header(CONTENT_TYPE, kind).body(body)).await
    }

    /// Asks for everything that the person owns. The body is for the caller to read, as fast as it can be passed on.
    pub(crate) async fn export(&self, token: &SecretString, format: &str) -> Result<reqwest::Response, ToolError> {
        let path = format!("/api/memories/export?format={format}");
        let request = self.http.get(self.url(&path)).bearer_auth(token.expose_secret()).timeout(LONGEST_TRANSFER);
        let response = request.send().await.map_err(|error| Outage::Away(Some(error.without_url())))?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(failure(&Answer::read(response).await?)) }
    }
}
