//! The rules for usernames, e-mail addresses and passwords of this application's own accounts.

mod names;
mod passwords;

pub(crate) use names::{Email, Username, folded};
pub(crate) use passwords::check_new_password;
