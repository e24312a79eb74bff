//! The rules of OAuth 2.0 as pure functions: what may be registered, who a client is, what a token says and
//! whether it holds, what happens to a refresh token that comes back. Time and secrets are arguments.
//!
//! It must not know SQL or HTTP: `app` fetches what a rule needs, asks it, and stores what it answers.
//!
//! Start with [`authorize`] and [`authorization_code`], then [`access_token`], [`refresh`] and [`user_token`].

pub mod access_token;
pub mod authorization_code;
pub mod authorize;
pub mod client;
mod error;
#[cfg(test)]
mod fuzz_tests;
pub mod metadata_document;
pub mod redirect_uri;
pub mod refresh;
pub mod registration;
pub mod signing_key;
pub mod user_token;

pub use access_token::AccessTokenClaims;
pub use error::OAuthError;
pub use signing_key::{KeySet, SigningKey};
