//! How OAuth clients come to be, and how they prove who they are.

use std::fmt;
use std::str::FromStr;

/// How a client came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientOrigin {
    /// An administrator registered it: the only kind that is trusted beyond what people consent to.
    Administrator,
    /// It registered itself (RFC 7591).
    Registration,
    /// It is named by the address of its metadata document.
    MetadataDocument,
}

/// How a client proves who it is at the token endpoint (RFC 7591 section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthMethod {
    /// Its secret in the Authorization header.
    Basic,
    /// Its secret in the body.
    Post,
    /// Nothing: a public client.
    None,
}

/// Says that a stored word names no variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not known")]
pub struct UnknownWord;

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* }) => {
        impl $name {
            /// The word by which it is stored and sent.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($word => Ok(Self::$variant),)* _ => Err(UnknownWord) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(ClientOrigin { Administrator = "administrator", Registration = "registration", MetadataDocument = "metadata_document" });
words!(ClientAuthMethod { Basic = "client_secret_basic", Post = "client_secret_post", None = "none" });
