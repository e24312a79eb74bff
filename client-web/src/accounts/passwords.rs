//! What a new password must be.

use picard_crypto::is_common_password;

use super::AccountProblem;
use super::names::folded;

/// Checks a new password: 8 to 1,024 characters, no NUL, none that is guessed first, and none of what is known of the
/// person: their username and their e-mail address (LOG-10).
pub(crate) fn check_new_password(password: &str, known: &[&str]) -> Result<(), AccountProblem> {
    if password.len() > 4_096 || !(8..=1_024).contains(&password.chars().count()) {
        return Err(AccountProblem::PasswordLength);
    }
    if password.contains('\0') {
        return Err(AccountProblem::PasswordNul);
    }
    let key = folded(password);
    if is_common_password(&key) {
        return Err(AccountProblem::PasswordCommon);
    }
    if known.iter().any(|known| key == folded(known.trim())) {
        return Err(AccountProblem::PasswordIsKnown);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_new_password;

    #[test]
    fn a_password_has_8_to_1024_characters_and_is_not_common_log_10() {
        for bad in ["1234567", "Password123", "nul\0nul\0nul", "ada.lovelace", "ada@example.org", "sunshine7", &"x".repeat(1_025)]
        {
            assert!(check_new_password(bad, &["Ada.Lovelace", "Ada@Example.org"]).is_err(), "{bad:?}");
        }
        for good in ["correct horse", &"ü".repeat(1_024), "私のパスワードです"] {
            assert!(check_new_password(good, &["ada"]).is_ok(), "{good}");
        }
    }
}
