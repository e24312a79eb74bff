//! Usernames and e-mail addresses, and the form in which they are unique.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

use super::AccountProblem;

/// Names that would make others believe in an authority (LOG-11).
const RESERVED: [&str; 10] =
    ["admin", "administrator", "moderator", "operator", "picard", "postmaster", "root", "security", "support", "system"];

/// The form in which two spellings of one name are equal: NFKC, case folded, NFKC again.
pub(crate) fn folded(text: &str) -> String {
    text.nfkc().default_case_fold().nfkc().collect()
}

/// A username: 1 to 64 letters, digits, `.`, `_`, `-`, `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Username {
    pub(crate) name: String,
    pub(crate) key: String,
}

impl Username {
    /// Reads a new username. White space around it is a slip of the keyboard.
    pub(crate) fn parse(text: &str) -> Result<Self, AccountProblem> {
        let name: String = text.trim().nfc().collect();
        let is_allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        if !(1..=64).contains(&name.chars().count()) || !name.chars().all(is_allowed) {
            return Err(AccountProblem::UsernameForm);
        }
        let key = folded(&name);
        if !key.chars().all(is_allowed) {
            return Err(AccountProblem::UsernameLookalike);
        }
        let mut alphabets = key.chars().filter_map(alphabet);
        if alphabets.next().is_some_and(|first| alphabets.any(|other| other != first)) {
            return Err(AccountProblem::UsernameAlphabets);
        }
        if RESERVED.contains(&key.as_str()) {
            return Err(AccountProblem::UsernameReserved);
        }
        Ok(Self { name, key })
    }
}

/// Alphabets whose letters look alike; others need no telling apart.
fn alphabet(letter: char) -> Option<u8> {
    match letter {
        'a'..='z' | 'ª' | 'º' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some(0),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(1),
        '\u{400}'..='\u{52f}' => Some(2),
        '\u{530}'..='\u{58f}' => Some(3),
        '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => Some(4),
        _ => None,
    }
}

/// An e-mail address. Nobody checks that it is the person's own, so nothing may rest on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email {
    pub(crate) address: String,
    pub(crate) key: String,
}

impl Email {
    /// Reads an address; `None` when the field was left empty.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, AccountProblem> {
        let address = text.trim();
        if address.is_empty() {
            return Ok(None);
        }
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | '"' | ',' | ';' | '\\');
        let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
        let has_form = address.rsplit_once('@').is_some_and(|(local, host)| {
            let parts_fit = |part: &str| !part.is_empty() && part.split('.').all(|piece| !piece.is_empty());
            parts_fit(local) && parts_fit(host) && host.contains('.') && host.chars().all(is_host) && !local.contains('@')
        });
        if address.len() <= 254 && has_form && address.chars().all(is_plain) {
            Ok(Some(Self { address: address.to_owned(), key: folded(address) }))
        } else {
            Err(AccountProblem::EmailForm)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Email, Username};

    fn key(name: &str) -> Option<String> {
        Username::parse(name).ok().map(|username| username.key)
    }

    #[test]
    fn spellings_of_one_username_are_one_log_11() {
        for other in ["ADA", " ada ", "ａｄａ", "Ada"] {
            assert_eq!(key(other).as_deref(), Some("ada"), "{other}");
        }
    }

    #[test]
    fn a_username_cannot_imitate_another_log_11() {
        for bad in ["", "a b", "ada\n.", "<b>", "a\u{200b}da", "аda", "ADMIN", "ａdmin", &"x".repeat(65)] {
            assert_eq!(key(bad), None, "{bad:?}");
        }
        for good in ["ада", "Ädä-1._", "ada@example.org", "日本語", &"x".repeat(64)] {
            assert!(key(good).is_some(), "{good}");
        }
    }

    #[test]
    fn an_email_address_has_a_place_and_a_dot() {
        assert_eq!(Email::parse("  "), Ok(None));
        assert_eq!(Email::parse("Ada@Example.ORG").ok().flatten().map(|email| email.key).as_deref(), Some("ada@example.org"));
        for bad in ["ada", "ada@localhost", "@a.b", "a b@c.de", "a@b..c", "a@b@c.de", "a@<b>.c"] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }
}
