//! Who is asking.

use crate::{ClientId, Error, GrantId, Scope, Scopes, Timestamp, TokenId, UserId};

/// Through which door a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The REST API.
    Rest,
    /// The MCP endpoint.
    Mcp,
    /// The command line of the server's machine.
    CommandLine,
}

impl Door {
    /// The word that is kept in the log of acts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Mcp => "mcp",
            Self::CommandLine => "command_line",
        }
    }
}

/// The person on whose behalf a request runs, the client that sends it, and what that client may do.
///
/// Made from a verified bearer token and from nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person.
    pub user_id: UserId,
    /// The client that acts for them.
    pub client_id: ClientId,
    /// The grant that the token belongs to.
    pub grant_id: GrantId,
    /// The token itself.
    pub token_id: TokenId,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// What the token allows.
    pub scopes: Scopes,
    /// Whether the person is a superuser at this moment, whatever the token said when it was issued.
    pub is_superuser: bool,
    /// Where the request came in.
    pub door: Door,
}

impl Caller {
    /// Refuses unless the token carries the scope.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] with the scope that is needed.
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        if self.scopes.contains(scope) { Ok(()) } else { Err(Error::InsufficientScope(scope)) }
    }
}
