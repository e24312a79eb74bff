//! The rules for usernames, e-mail addresses and passwords of this application's own accounts.

mod names;
mod passwords;

pub(crate) use names::{Email, Username, folded};
pub(crate) use passwords::check_new_password;

use crate::words::Words;

/// What is wrong with a name, an address or a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountProblem {
    UsernameForm,
    UsernameLookalike,
    UsernameAlphabets,
    UsernameReserved,
    EmailForm,
    PasswordLength,
    PasswordNul,
    PasswordCommon,
    PasswordIsKnown,
}

impl AccountProblem {
    /// The same for people.
    pub(crate) fn said(self, words: &Words) -> &'static str {
        let words = &words.account;
        match self {
            Self::UsernameForm => words.username_form,
            Self::UsernameLookalike => words.username_lookalike,
            Self::UsernameAlphabets => words.username_alphabets,
            Self::UsernameReserved => words.username_reserved,
            Self::EmailForm => words.email_form,
            Self::PasswordLength => words.password_length,
            Self::PasswordNul => words.password_nul,
            Self::PasswordCommon => words.password_common,
            Self::PasswordIsKnown => words.password_is_known,
        }
    }
}
