//! Reading clients' metadata documents from the web, carefully: the address is a stranger's word (SSR-01, SSR-02).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use picard_auth::OAuthError;
use picard_auth::metadata_document::{MOST_BYTES, check_address, check_document, is_public_address};
use picard_domain::Error;
use picard_storage::clients::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;

use crate::App;

/// A document that takes longer is none.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Which hosts' documents are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DocumentHosts {
    /// None: clients cannot be named by a document's address.
    #[default]
    None,
    /// These alone.
    Named(Vec<String>),
    /// All that are on the open internet.
    Any,
}

impl DocumentHosts {
    /// Whether there is a host whose documents are read.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::None
    }

    fn has(&self, host: &str) -> bool {
        match self {
            Self::None => false,
            Self::Named(hosts) => hosts.iter().any(|known| known.eq_ignore_ascii_case(host)),
            Self::Any => true,
        }
    }
}

/// Resolves names to addresses on the open internet alone. Asked for every connection, so that a name that changes its
/// address in between gains nothing.
struct PublicAddresses;

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public_address(address.ip())).collect();
            if public.is_empty() {
                return Err("the name leads to no address on the open internet".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Fetches documents; connects nowhere but to the open internet.
#[derive(Clone)]
pub(crate) struct DocumentReader(reqwest::Client);

impl DocumentReader {
    #[expect(clippy::disallowed_methods, reason = "this crate's one HTTP client")]
    pub(crate) fn new() -> Result<Self, Error> {
        Self::build(reqwest::Client::builder().dns_resolver(Arc::new(PublicAddresses)))
    }

    fn build(builder: reqwest::ClientBuilder) -> Result<Self, Error> {
        let client = builder
            .https_only(true)
            .no_proxy()
            .redirect(Policy::none())
            .timeout(LONGEST_WAIT)
            .pool_max_idle_per_host(0)
            .user_agent("Picard (client metadata)")
            .build();
        client.map(Self).map_err(Error::internal)
    }

    /// The document's bytes: a plain JSON answer of at most 5 kB, without a redirect.
    async fn read(&self, url: &str) -> Result<Vec<u8>, String> {
        let failed = |error: reqwest::Error| format!("cannot be read ({})", cause(&error));
        let mut response = self.0.get(url).header("accept", "application/json").send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("answers with status {}", response.status().as_u16()));
        }
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let kind = header("content-type");
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" && !(essence.starts_with("application/") && essence.ends_with("+json")) {
            return Err("is not application/json".to_owned());
        }
        if !matches!(header("content-encoding").as_str(), "" | "identity") {
            return Err("is compressed".to_owned());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BYTES {
                return Err("is larger than 5 kB".to_owned());
            }
        }
        Ok(body)
    }
}

/// What went wrong, without the address of anything inside.
fn cause(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it takes too long"
    } else if error.is_connect() {
        "no connection to a public host"
    } else {
        "the answer is broken"
    }
}

impl App {
    /// Whether clients may be named by the address of a document about them.
    #[must_use]
    pub fn takes_client_documents(&self) -> bool {
        self.0.settings.document_hosts.is_on()
    }

    /// The client that a document describes. It is read again when ten minutes have passed and somebody asks, which only
    /// the authorization endpoint does (`address`: for whom the request is counted); a failure leaves no trace.
    pub(crate) async fn described_client(&self, url: &str, address: Option<&str>) -> Result<Result<Client, OAuthError>, Error> {
        let refused = |what: &str| Ok(Err(OAuthError::invalid_client(format!("The application's metadata document {what}."))));
        let host = match check_address(url) {
            _ if !self.takes_client_documents() => {
                return Ok(Err(OAuthError::invalid_client("Applications cannot be named by a document's address here.")));
            }
            Ok(host) if self.0.settings.document_hosts.has(&host) => host,
            Ok(_) => return refused("is on a host that is not allowed here"),
            Err(what) => return Ok(Err(OAuthError::invalid_client(format!("The client_id {what}.")))),
        };
        let known = self.0.store.client_by_metadata_url(url).await?;
        match (known, address) {
            (Some((client, true)), _) | (Some((client, _)), None) => return Ok(Ok(client)),
            (None, None) => return refused("has not been read yet"),
            (_, Some(address)) => {
                self.count_request("document", &host, "").await?;
                self.count_request("document", "", address).await?;
            }
        }
        let described = match self.0.document_reader.read(url).await {
            Ok(body) => check_document(url, &body),
            Err(what) => return refused(&what),
        };
        match described {
            Ok(client) => {
                self.0.store.put_metadata_client(url, &client.name, &client.redirect_uris, &client.scopes).await.map(Ok)
            }
            Err(error) => Ok(Err(error)),
        }
    }
}

#[cfg(test)]
#[path = "client_documents_tests.rs"]
mod tests;
