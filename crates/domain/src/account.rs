//! Names and addresses of people, and the keys by which they are unique.

use caseless::Caseless;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection, skeleton};

/// Says what is wrong with a name, an address or a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AccountError(&'static str);

/// The form in which two spellings of one name are equal: NFKC, case folded, NFKC again, without
/// white space and characters that nobody sees.
#[must_use]
pub fn folded(text: &str) -> String {
    let visible = text.nfkc().filter(|c| !c.is_whitespace() && !is_invisible(*c));
    visible.default_case_fold().nfkc().collect()
}

/// The form in which mail programs take two addresses for one: folded, without dots and `+tag` before the `@`. Names
/// that are no addresses lose their dots alone.
#[must_use]
pub fn mailbox(text: &str) -> String {
    let folded = folded(text);
    let (local, host) = folded.rsplit_once('@').map_or((folded.as_str(), None), |(local, host)| (local, Some(host)));
    let local = local.split('+').next().unwrap_or_default().replace('.', "");
    host.map_or_else(|| local.clone(), |host| format!("{local}@{host}"))
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// The name that a person signs in with: 1 to 64 letters, digits, `.`, `_`, `-`, `@`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);

impl Username {
    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name by which it is unique.
    #[must_use]
    pub fn key(&self) -> String {
        folded(&self.0)
    }
}

impl TryFrom<String> for Username {
    type Error = AccountError;

    fn try_from(name: String) -> Result<Self, AccountError> {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        let length = name.chars().count();
        if (1..=64).contains(&length) && name.chars().all(allowed) {
            Ok(Self(name))
        } else {
            Err(AccountError("must have 1 to 64 letters, digits or the characters . _ - @"))
        }
    }
}

impl From<Username> for String {
    fn from(name: Username) -> Self {
        name.0
    }
}

/// An e-mail address, checked for its form alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address by which it is unique.
    #[must_use]
    pub fn key(&self) -> String {
        folded(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = AccountError;

    fn try_from(address: String) -> Result<Self, AccountError> {
        let error = AccountError("must be an e-mail address such as ada@example.org, of at most 254 characters");
        let Some((local, host)) = address.rsplit_once('@') else {
            return Err(error);
        };
        let well_formed = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
        let plain = |c: char| {
            !c.is_whitespace() && !c.is_control() && !is_invisible(c) && !matches!(c, '<' | '>' | '"' | ',' | ';' | '@' | '\\')
        };
        let host_character = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
        let fits = address.len() <= 254 && local.len() <= 64 && well_formed(local) && well_formed(host) && host.contains('.');
        if fits && local.chars().all(plain) && host.chars().all(host_character) { Ok(Self(address)) } else { Err(error) }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

// An address does not belong into logs.
impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email([redacted])")
    }
}

/// Names under which somebody could pass for the deployment itself.
const RESERVED: [&str; 20] = [
    "admin",
    "administrator",
    "root",
    "superuser",
    "system",
    "picard",
    "support",
    "help",
    "security",
    "abuse",
    "postmaster",
    "hostmaster",
    "webmaster",
    "moderator",
    "staff",
    "official",
    "info",
    "null",
    "undefined",
    "me",
];

/// Checks the name that somebody chooses for themselves: it must not pass for the deployment's, nor mix letters that
/// look like those of another alphabet (UTS 39, at most "moderately restrictive"; LOG-11).
///
/// # Errors
/// What is wrong with it.
pub fn check_chosen_username(username: &Username) -> Result<(), AccountError> {
    let key = username.key();
    let letters: String = key.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    if !letters.as_str().check_restriction_level(RestrictionLevel::ModeratelyRestrictive) {
        return Err(AccountError("must not mix letters of several alphabets"));
    }
    let seen: String = skeleton(&letters).collect();
    if RESERVED.iter().any(|word| skeleton(word).eq(seen.chars())) {
        return Err(AccountError("is reserved: choose another name"));
    }
    Ok(())
}

/// Checks the name under which others see somebody: at most 100 characters on one line.
///
/// # Errors
/// What is wrong with it.
pub fn check_display_name(name: &str) -> Result<(), AccountError> {
    let is_plain = |c: char| !c.is_control() && !is_invisible(c);
    if name.trim() == name && (1..=100).contains(&name.chars().count()) && name.chars().all(is_plain) {
        Ok(())
    } else {
        Err(AccountError("must have 1 to 100 printable characters without space around them"))
    }
}

/// Checks what somebody says about themselves: at most 2,000 characters.
///
/// # Errors
/// What is wrong with it.
pub fn check_bio(bio: &str) -> Result<(), AccountError> {
    if bio.chars().count() <= 2_000 && !bio.contains('\0') {
        Ok(())
    } else {
        Err(AccountError("must have at most 2,000 characters, none of them U+0000"))
    }
}

/// Checks a new password: 8 to 1,024 characters, no NUL (LOG-10).
///
/// # Errors
/// What is wrong with it, never the password itself.
pub fn check_new_password(password: &str) -> Result<(), AccountError> {
    if password.contains('\0') {
        return Err(AccountError("must not contain the character U+0000"));
    }
    if password.len() > 4_096 || !(8..=1_024).contains(&password.chars().count()) {
        return Err(AccountError("must have 8 to 1,024 characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<Username, AccountError> {
        text.to_owned().try_into()
    }

    #[test]
    fn spellings_of_one_name_share_a_key() {
        for other in ["ADMIN", "Admin", "ａｄｍｉｎ", "ⓐdmin"] {
            assert_eq!(folded(other), "admin", "LOG-11 {other}");
        }
        assert_eq!(folded("admin\u{200b} "), "admin", "UTK-03");
        assert_eq!(folded("STRASSE"), folded("straße"));
    }

    #[test]
    fn tags_and_dots_are_no_part_of_a_mailbox() {
        for other in ["root@example.org", "ROOT@Example.org", "r.o.o.t+x@example.org", "ｒoot@example.org"] {
            assert_eq!(mailbox(other), "root@example.org", "UTK-03 {other}");
        }
        assert_eq!((mailbox("r.oot"), mailbox("root@a.b")), ("root".to_owned(), "root@a.b".to_owned()));
    }

    #[test]
    fn a_username_is_a_word() {
        for good in ["ada", "ada@example.org", "Ädä-1._", &"x".repeat(64)] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "ada\n", "<b>", "a\u{200b}", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nobody_can_choose_a_name_that_passes_for_the_deployment() {
        let chosen = |text: &str| check_chosen_username(&name(text).expect("a name"));

        for good in ["ada", "ada.l-1_x@example.org", "Ädä", "Łukasz", "用户ada", "Ольга", "δέλτα", "ひかり", "민준"]
        {
            assert!(chosen(good).is_ok(), "{good}");
        }
        for bad in
            ["Admin", "ADMIN", "ａｄｍｉｎ", "аdmin", "adm1n\u{0430}", "adrnin", "a.d.m.i.n", "root", "Pic\u{0430}rd", "οlga1а"]
        {
            assert!(chosen(bad).is_err(), "LOG-11 {bad}");
        }
    }

    #[test]
    fn an_address_has_a_place_and_a_dot() {
        let email = |text: &str| Email::try_from(text.to_owned());

        assert!(email("ada.l+tag@mail.example.org").is_ok());
        for bad in
            ["ada", "ada@localhost", "@a.b", "a b@c.de", "a@b..c", "a@b.c\r\n", "a@<b>.c", &format!("{}@b.cd", "x".repeat(250))]
        {
            assert!(email(bad).is_err(), "{bad:?}");
        }
        assert!(!format!("{:?}", email("ada@b.cd")).contains("ada"));
    }

    #[test]
    fn a_password_has_8_to_1024_characters() {
        assert!(check_new_password("12345678").is_ok() && check_new_password(&"ü".repeat(1_024)).is_ok());
        assert!(check_new_password("1234567").is_err() && check_new_password(&"x".repeat(1_025)).is_err());
    }
}
