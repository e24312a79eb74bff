//! The errors of OAuth endpoints.

/// An error as RFC 6749 section 5.2 and its kin name them, with a description for the developer who reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub struct OAuthError {
    /// The registered word.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub description: String,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl OAuthError {
            $(
                $(#[$doc])*
                pub fn $name(description: impl Into<String>) -> Self {
                    Self { code: $code, description: description.into() }
                }
            )*
        }
    };
}

errors! {
    /// The request is malformed (RFC 6749 section 5.2).
    invalid_request = "invalid_request";
    /// The client is unknown or did not prove who it is (RFC 6749 section 5.2).
    invalid_client = "invalid_client";
    /// The code or refresh token does not hold (RFC 6749 section 5.2).
    invalid_grant = "invalid_grant";
    /// The client may not use this grant type (RFC 6749 section 5.2).
    unauthorized_client = "unauthorized_client";
    /// There is no such grant type here (RFC 6749 section 5.2).
    unsupported_grant_type = "unsupported_grant_type";
    /// The scope is unknown or more than may be asked for (RFC 6749 section 5.2).
    invalid_scope = "invalid_scope";
    /// There is no such response type here (RFC 6749 section 4.1.2.1).
    unsupported_response_type = "unsupported_response_type";
    /// The person has to sign in first, and may not be asked to (OpenID Connect Core section 3.1.2.6).
    login_required = "login_required";
    /// The person has to consent first, and may not be asked to (OpenID Connect Core section 3.1.2.6).
    consent_required = "consent_required";
    /// Request objects are not taken (OpenID Connect Core section 3.1.2.6).
    request_not_supported = "request_not_supported";
    /// Request objects are not taken (OpenID Connect Core section 3.1.2.6).
    request_uri_not_supported = "request_uri_not_supported";
    /// A redirect URI may not be registered (RFC 7591 section 3.2.2).
    invalid_redirect_uri = "invalid_redirect_uri";
    /// A member of the registration is wrong (RFC 7591 section 3.2.2).
    invalid_client_metadata = "invalid_client_metadata";
    /// The resource is none of this server's (RFC 8707 section 2).
    invalid_target = "invalid_target";
    /// The account may not be used this way (RFC 6749 section 4.1.2.1).
    access_denied = "access_denied";
    /// There is no account of this name, and none was to be made.
    user_not_found = "user_not_found";
    /// The name or address belongs to an account that this client did not make.
    account_link_required = "account_link_required";
}
