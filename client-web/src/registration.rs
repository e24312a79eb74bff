//! Registers this application as a client of the Picard server.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use picard_crypto::SecretString;

use crate::authorization::CALLBACK;
use crate::env_file;
use crate::server_client::{Administrator, RegistrationFailure, ServerClient};

/// What a registration needs.
#[derive(Debug)]
pub struct RegisterClient {
    /// Where the Picard server is.
    pub server_url: String,
    /// Username or e-mail address of an administrator there.
    pub admin_username: String,
    /// The administrator's password.
    pub admin_password: SecretString,
    /// Where browsers reach this application.
    pub web_public_url: String,
    /// File that gets `CLIENT_ID` and `CLIENT_SECRET`; if it has those of a client that the server knows, none is registered.
    pub env_file: Option<PathBuf>,
}

/// How a registration ended.
#[derive(Debug)]
pub enum Registration {
    /// The server knows the application now.
    Created {
        /// The client's id.
        client_id: String,
        /// The client's secret, which the server shows only once.
        client_secret: SecretString,
    },
    /// The env file holds credentials, and the server knows the application with this address.
    AlreadyThere {
        /// The client's id.
        client_id: String,
    },
    /// The server knew the application with another address.
    Moved {
        /// The client's id.
        client_id: String,
    },
    /// The env file holds credentials, and the server could not be asked about them.
    Unchecked {
        /// The client's id.
        client_id: String,
        /// Why not.
        why: Box<RegisterError>,
    },
}

/// Why a registration failed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The server did not answer or is not ready.
    #[error("the Picard server at {0} cannot be reached; start it first, then try again")]
    Unreachable(String),
    /// The administrator's name or password is wrong, or the account is no administrator's.
    #[error("the Picard server does not accept this administrator (ADMIN_USERNAME, ADMIN_PASSWORD)")]
    Refused,
    /// The server understood and said no.
    #[error("the Picard server refused the registration: {0}")]
    Rejected(String),
    /// The env file could not be read or written.
    #[error("cannot use the env file {path}")]
    EnvFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

/// Registers the application as a confidential client that may read and write memories, and keeps the
/// credentials in the env file. Doing it again with the same file changes nothing, unless the application has got another
/// address or the server does not know it any more.
pub fn register_client(request: RegisterClient) -> BoxFuture<'static, Result<Registration, RegisterError>> {
    Box::pin(async move {
        let server_url = request.server_url.trim_end_matches('/');
        let server = ServerClient::new(server_url).map_err(|_| RegisterError::Unreachable(server_url.to_owned()))?;
        let who = Administrator::new(&request.admin_username, request.admin_password.clone());
        let callback = format!("{}{CALLBACK}", request.web_public_url.trim_end_matches('/'));
        if let Some(client_id) = already_registered(request.env_file.as_ref())? {
            match settle(&server, &who, &client_id, &callback).await {
                Ok(Known::Well) => return Ok(Registration::AlreadyThere { client_id }),
                Ok(Known::Moved) => return Ok(Registration::Moved { client_id }),
                Ok(Known::Not) => {}
                // What was registered may be as it should be: whoever starts everything again need not know the password.
                Err(why) => {
                    let why = Box::new(why.explained(server_url));
                    return Ok(Registration::Unchecked { client_id, why });
                }
            }
        }
        let credentials = server.register(&who, &callback).await.map_err(|failure| failure.explained(server_url))?;
        if let Some(path) = request.env_file {
            let variables = [("CLIENT_ID", credentials.id()), ("CLIENT_SECRET", credentials.secret())];
            env_file::update(&path, &variables).map_err(|source| RegisterError::EnvFile { path, source })?;
        }
        Ok(Registration::Created {
            client_id: credentials.id().to_owned(),
            client_secret: SecretString::from(credentials.secret()),
        })
    })
}

/// How the server knows the application.
enum Known {
    Well,
    /// It had another address there.
    Moved,
    Not,
}

/// Makes sure that the server sends people back to where the application is now.
async fn settle(
    server: &ServerClient,
    who: &Administrator,
    client_id: &str,
    callback: &str,
) -> Result<Known, RegistrationFailure> {
    match server.registered(who, client_id).await? {
        None => Ok(Known::Not),
        Some(client) if client.redirect_uris.iter().any(|uri| uri == callback) => Ok(Known::Well),
        Some(client) => server.move_client(who, &client, callback).await.map(|()| Known::Moved),
    }
}

impl RegistrationFailure {
    fn explained(self, server_url: &str) -> RegisterError {
        match self {
            Self::Unreachable => RegisterError::Unreachable(server_url.to_owned()),
            Self::Refused => RegisterError::Refused,
            Self::Rejected(reason) => RegisterError::Rejected(reason),
        }
    }
}

fn already_registered(env_file: Option<&PathBuf>) -> Result<Option<String>, RegisterError> {
    let Some(path) = env_file.filter(|path| path.is_file()) else {
        return Ok(None);
    };
    let mut variables = env_file::read(path).map_err(|source| RegisterError::EnvFile { path: path.clone(), source })?;
    Ok(variables.remove("CLIENT_ID").filter(|_| variables.contains_key("CLIENT_SECRET")))
}
