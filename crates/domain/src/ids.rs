//! Identifiers: UUID version 4 in lower case with hyphens, one type per thing so that they cannot be mixed up.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Says that a text is not an identifier in the one accepted form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID in lower case with hyphens")]
pub struct IdError;

/// Parses the canonical form only: other spellings of one id would make it look like several.
fn parse(text: &str) -> Result<Uuid, IdError> {
    let id = Uuid::try_parse(text).map_err(|_| IdError)?;
    if id.as_hyphenated().to_string() == text { Ok(id) } else { Err(IdError) }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "Uuid")]
        pub struct $name(pub Uuid);

        impl $name {
            /// Makes a new random identifier (UUID version 4).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

id!(
    /// Names a person (or an account that a client made for one).
    UserId
);
id!(
    /// Names an OAuth client.
    ClientId
);
id!(
    /// Names a memory.
    MemoryId
);
id!(
    /// Names a grant: what one person gave one client at one time, with every token that came of it.
    GrantId
);
id!(
    /// Names a group of people.
    GroupId
);
id!(
    /// Names a persona.
    PersonaId
);
id!(
    /// Names what a person is being asked on the consent page.
    AuthorizationRequestId
);
id!(
    /// Names one access token (the JWT's `jti`).
    TokenId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_an_id() {
        let id = MemoryId::generate();
        assert_eq!(id.to_string().parse(), Ok(id));

        for other in [
            id.to_string().to_uppercase(),
            id.0.simple().to_string(),
            id.0.urn().to_string(),
            id.0.braced().to_string(),
            format!("{id} "),
            String::new(),
        ] {
            assert_eq!(other.parse::<MemoryId>(), Err(IdError), "{other:?}");
        }
    }
}
