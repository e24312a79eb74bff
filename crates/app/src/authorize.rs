//! The authorization endpoint: from a client's request to the person's answer (RFC 6749 section 4.1).

use std::time::Duration;

use futures_util::future::BoxFuture;
use picard_auth::OAuthError;
use picard_auth::authorization_code;
use picard_auth::authorize::{self, AskingClient, Parameters, Prompt, Unanswerable, ValidRequest};
use picard_auth::metadata_document::{check_address, is_document_address};
use picard_auth::redirect_uri::{RedirectTarget, target_of};
use picard_crypto::{ExposeSecret, hash_token, random_token};
use picard_domain::{AuthorizationRequestId, ClientId, ClientOrigin, Error, Scopes};
use picard_storage::audit::NewAuditEvent;
use picard_storage::authorization::{AuthorizationRequest, NewCode};
use picard_storage::clients::Client;

use crate::{App, Session};

/// How long a consent page may stay open.
const QUESTION_LIFETIME: Duration = Duration::from_secs(600);

/// What follows from a request to the authorization endpoint.
#[derive(Debug)]
pub enum Authorization {
    /// The person has to sign in, or to sign up, and then to come back with this query.
    SignIn {
        /// The query of the request, without the wish to sign in.
        query: String,
        /// Whether to show the sign-up page first.
        create: bool,
    },
    /// The person is to be asked.
    Ask(Box<Question>),
    /// The client gets its answer here.
    Redirect(String),
    /// Nobody can be answered: the person reads why.
    Refuse(String),
}

/// What the consent page says.
#[derive(Debug)]
pub struct Question {
    /// The question; the answer names it.
    pub id: AuthorizationRequestId,
    /// Who asks.
    pub client: AskingParty,
    /// What for.
    pub scopes: Scopes,
}

/// Who asks, as people are shown.
#[derive(Debug, Clone)]
pub struct AskingParty {
    /// The client's name, which it has given itself unless an administrator registered it.
    pub name: String,
    /// The host of its metadata document, which vouches for it.
    pub verified_host: Option<String>,
    /// Whether an administrator registered it.
    pub is_trusted: bool,
    /// Where the answer goes.
    pub target: RedirectTarget,
}

fn party(client: &Client, redirect_uri: &str) -> Option<AskingParty> {
    Some(AskingParty {
        name: client.name.clone(),
        verified_host: client.metadata_url.as_deref().and_then(|url| check_address(url).ok()),
        is_trusted: client.origin == ClientOrigin::Administrator,
        target: target_of(redirect_uri)?,
    })
}

fn asking(client: &Client) -> AskingClient<'_> {
    AskingClient {
        redirect_uris: &client.redirect_uris,
        scopes: &client.scopes,
        default_scopes: client.default_scopes.as_ref(),
        origin: client.origin,
        is_confidential: client.secret_hash.is_some(),
    }
}

/// A request whose client and redirect URI are right, so that it can be answered.
struct Answerable {
    parameters: Parameters,
    client: Client,
    redirect_uri: String,
}

impl App {
    /// Decides about a request to the authorization endpoint.
    ///
    /// # Errors
    /// As every statement; everything that is wrong with the request is in the [`Authorization`].
    pub fn authorize<'a>(
        &'a self,
        query: &'a str,
        session: Option<&'a Session>,
        address: &'a str,
    ) -> BoxFuture<'a, Result<Authorization, Error>> {
        Box::pin(async move {
            let request = match self.answerable(query, Some(address)).await? {
                Ok(request) => request,
                Err(Unanswerable(message)) => return Ok(Authorization::Refuse(message)),
            };
            match self.answer(&request, query, session, address).await? {
                Ok(authorization) => Ok(authorization),
                Err(error) => {
                    Ok(Authorization::Redirect(self.failure(&request.redirect_uri, &error, request.parameters.state.as_deref())))
                }
            }
        })
    }

    /// Who asks in this query, for the sign-in page; `None` when it is no good request.
    ///
    /// # Errors
    /// As every statement.
    pub fn asking_party<'a>(&'a self, query: &'a str) -> BoxFuture<'a, Result<Option<AskingParty>, Error>> {
        Box::pin(async move {
            let request = self.answerable(query, None).await?;
            Ok(request.ok().and_then(|request| party(&request.client, &request.redirect_uri)))
        })
    }

    /// Finds out whom the answer would go to. With an address, a client's metadata document may be fetched.
    async fn answerable(&self, query: &str, address: Option<&str>) -> Result<Result<Answerable, Unanswerable>, Error> {
        let refused = |message: &str| Ok(Err(Unanswerable(message.to_owned())));
        let parameters = match Parameters::read(query) {
            Ok(parameters) => parameters,
            Err(error) => return Ok(Err(error)),
        };
        let Some(client_id) = parameters.get("client_id") else { return refused("client_id is missing.") };
        let client = if is_document_address(client_id) {
            match self.described_client(client_id, address).await? {
                Ok(client) => client,
                Err(error) => return refused(&error.description),
            }
        } else {
            let known = match client_id.parse::<ClientId>() {
                Ok(id) => self.0.store.client(id).await?,
                Err(_) => None,
            };
            // One that is named by its document has no other name.
            match known.filter(|client| client.metadata_url.is_none()) {
                Some(client) => client,
                None => return refused("No application with this client_id is registered here."),
            }
        };
        match authorize::redirect_uri(&parameters, &asking(&client)) {
            Ok(redirect_uri) => Ok(Ok(Answerable { parameters, client, redirect_uri })),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn answer(
        &self,
        request: &Answerable,
        query: &str,
        session: Option<&Session>,
        address: &str,
    ) -> Result<Result<Authorization, OAuthError>, Error> {
        let Answerable { parameters, client, redirect_uri } = request;
        let valid = match authorize::check(parameters, &asking(client), &self.0.issuer) {
            Ok(valid) => valid,
            Err(error) => return Ok(Err(error)),
        };
        let ValidRequest { prompt, .. } = valid;
        let Some(session) = session.filter(|_| !prompt.login && !prompt.create) else {
            return Ok(if prompt.none {
                Err(OAuthError::login_required("The person is not signed in."))
            } else {
                Ok(Authorization::SignIn {
                    query: without_sign_in(query, prompt),
                    create: prompt.create && self.is_sign_up_open(),
                })
            });
        };
        let scopes = match authorize::givable(&valid.scopes, session.person.is_superuser, client.origin) {
            Ok(scopes) => scopes,
            Err(error) => return Ok(Err(error)),
        };
        let Some(party) = party(client, redirect_uri) else {
            return Ok(Err(OAuthError::invalid_request("redirect_uri has no host.")));
        };
        let question = AuthorizationRequest {
            id: AuthorizationRequestId::generate(),
            user_id: session.person.user_id,
            client_id: client.id,
            redirect_uri: redirect_uri.clone(),
            redirect_uri_given: parameters.get("redirect_uri").is_some(),
            scopes: scopes.clone(),
            state: parameters.state.clone(),
            code_challenge: valid.code_challenge,
            audience: valid.audience,
            expires_at: self.0.clock.after(QUESTION_LIFETIME),
        };
        let consented = self.0.store.consented(session.person.user_id, client.id, Some(&party.target.host)).await?;
        if authorize::is_consented(&asking(client), &scopes, &consented, prompt) {
            return Ok(Ok(Authorization::Redirect(self.allow(&question, &party.target.host, address).await?)));
        }
        if prompt.none {
            return Ok(Err(OAuthError::consent_required("The person has to be asked.")));
        }
        self.0.store.create_authorization_request(&session.hash, &question).await?;
        Ok(Ok(Authorization::Ask(Box::new(Question { id: question.id, client: party, scopes }))))
    }

    /// Takes the person's answer to a question that was asked in this session, and gives back where it goes.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a question that is not open in this session (any more) (LOG-14).
    pub fn consent<'a>(
        &'a self,
        session: &'a Session,
        question: AuthorizationRequestId,
        is_allowed: bool,
        address: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move {
            let request = self.0.store.take_authorization_request(&session.hash, question).await?.ok_or(Error::Forbidden)?;
            if !is_allowed {
                tracing::info!(event = "authorization_denied", user.id = %request.user_id, client.id = %request.client_id, "A person denied a client.");
                let denied = OAuthError::access_denied("The person said no.");
                return Ok(self.failure(&request.redirect_uri, &denied, request.state.as_deref()));
            }
            let host = target_of(&request.redirect_uri).map(|target| target.host).unwrap_or_default();
            self.allow(&request, &host, address).await
        })
    }

    /// Makes the code for a request that is allowed; gives back where it goes.
    async fn allow(&self, request: &AuthorizationRequest, redirect_host: &str, address: &str) -> Result<String, Error> {
        let code = random_token();
        let new = NewCode {
            hash: &hash_token(code.expose_secret()),
            expires_at: self.0.clock.after(authorization_code::LIFETIME),
            redirect_host,
        };
        self.0.store.allow(request, new).await?;
        self.record(NewAuditEvent {
            event: "authorization_granted",
            user_id: Some(request.user_id),
            client_id: Some(request.client_id),
            address: Some(address),
            details: serde_json::json!({ "scopes": request.scopes.to_words(), "redirect_host": redirect_host }),
            ..Default::default()
        })
        .await?;
        tracing::info!(event = "authorization_granted", user.id = %request.user_id, client.id = %request.client_id, "A person let a client in.");
        let parameters = [("code", code.expose_secret())];
        Ok(authorize::answer(&request.redirect_uri, &parameters, request.state.as_deref(), &self.0.issuer))
    }

    fn failure(&self, redirect_uri: &str, error: &OAuthError, state: Option<&str>) -> String {
        let parameters = [("error", error.code), ("error_description", error.description.as_str())];
        authorize::answer(redirect_uri, &parameters, state, &self.0.issuer)
    }
}

/// The query without the wish to sign in or up, which is granted by then; a wish for the consent page stays.
fn without_sign_in(query: &str, prompt: Prompt) -> String {
    let pairs = query.split('&').filter(|pair| pair.split('=').next() != Some("prompt"));
    let mut kept: Vec<&str> = pairs.collect();
    if prompt.consent {
        kept.push("prompt=consent");
    }
    kept.join("&")
}
