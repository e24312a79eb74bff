//! Whom a client may name in the user-token flow. It is impersonation by design, so a client reaches only accounts
//! that it made itself or whose person let it in on the consent page, and never an administrator's (UTK-01 to UTK-12).

use picard_domain::{ClientId, UserId};

use crate::OAuthError;

/// An account that bears the name or the address that the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedAccount {
    /// The person.
    pub id: UserId,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether it is an administrator's.
    pub is_superuser: bool,
    /// The client that made it.
    pub client_id: Option<ClientId>,
    /// Whether its person has allowed this client in on the consent page.
    pub is_linked: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Mint tokens for this person.
    Mint(UserId),
    /// Make the account first.
    Create,
    /// Refuse.
    Refuse(OAuthError),
}

/// Decides by the accounts that bear the name and the address.
#[must_use]
pub fn decide(client: ClientId, by_username: Option<NamedAccount>, by_email: Option<NamedAccount>, create: bool) -> Decision {
    let named = [by_username, by_email];
    if named.iter().flatten().any(|account| account.is_superuser) {
        return Decision::Refuse(OAuthError::access_denied("An administrator's account cannot be used this way."));
    }
    let Some(account) = by_username else {
        return match by_email {
            Some(_) => Decision::Refuse(link_required()),
            None if create => Decision::Create,
            None => {
                Decision::Refuse(OAuthError::user_not_found("There is no account of this name; create_if_not_exists makes one."))
            }
        };
    };
    let is_reachable = account.client_id == Some(client) || account.is_linked;
    if !is_reachable || by_email.is_some_and(|other| other.id != account.id) {
        return Decision::Refuse(link_required());
    }
    if !account.is_active {
        return Decision::Refuse(OAuthError::access_denied("The account is deactivated."));
    }
    Decision::Mint(account.id)
}

fn link_required() -> OAuthError {
    OAuthError::account_link_required(
        "This username or e-mail address belongs to an account that the client did not make: its person can let the client in through /authorize.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(client: ClientId) -> NamedAccount {
        NamedAccount { id: UserId::generate(), is_active: true, is_superuser: false, client_id: Some(client), is_linked: false }
    }

    fn code(decision: &Decision) -> &'static str {
        match decision {
            Decision::Mint(_) => "mint",
            Decision::Create => "create",
            Decision::Refuse(error) => error.code,
        }
    }

    #[test]
    fn a_client_reaches_its_own_accounts_and_no_others() {
        let client = ClientId::generate();
        let own = account(client);
        let foreign = account(ClientId::generate());
        let registered = NamedAccount { client_id: None, ..account(client) };
        let linked = NamedAccount { is_linked: true, ..registered };
        let admin = NamedAccount { is_superuser: true, ..own };
        let inactive = NamedAccount { is_active: false, ..own };

        for (by_username, by_email, create, expected) in [
            (Some(own), None, false, "mint"),
            (Some(own), Some(own), true, "mint"),
            (Some(linked), None, false, "mint"),
            (Some(linked), Some(foreign), true, "account_link_required"),
            (Some(NamedAccount { is_superuser: true, ..linked }), None, false, "access_denied"),
            (None, None, true, "create"),
            (None, None, false, "user_not_found"),
            (Some(foreign), None, true, "account_link_required"),
            (Some(registered), None, true, "account_link_required"),
            (None, Some(foreign), true, "account_link_required"),
            (None, Some(own), true, "account_link_required"),
            (Some(own), Some(foreign), true, "account_link_required"),
            (Some(admin), None, true, "access_denied"),
            (None, Some(admin), true, "access_denied"),
            (Some(own), Some(admin), true, "access_denied"),
            (Some(inactive), None, true, "access_denied"),
        ] {
            let decision = decide(client, by_username, by_email, create);
            assert_eq!(code(&decision), expected, "UTK-03, UTK-04, UTK-05, UTK-12 {by_username:?} {by_email:?}");
        }
    }
}
