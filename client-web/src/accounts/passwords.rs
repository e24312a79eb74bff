//! What a new password must be.

use super::AccountProblem;
use super::names::folded;

/// The passwords that are tried first everywhere; shorter ones are refused by their length (LOG-10).
const COMMON: &str = "
    12345678 123456789 1234567890 12345678910 0123456789 87654321 987654321 9876543210 11111111 00000000 22222222
    88888888 99999999 12341234 12121212 11223344 1122334455 123123123 147258369 1234qwer 123qweasd 1q2w3e4r
    1q2w3e4r5t 1qaz2wsx qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwer1234 qwerasdf qazwsxedc qweasdzxc
    asdfghjk asdfghjkl asdf1234 zxcvbnm1 zxcvbnm123 abcd1234 abc12345 abcdefgh abcdefg1 aaaaaaaa a1b2c3d4 aa123456
    a1234567 password passw0rd p@ssw0rd p@ssword pa55word password1 password! password12 password123 password1234
    passwords mypassword letmein1 letmein123 welcome1 welcome123 iloveyou iloveyou1 iloveyou2 sunshine sunshine1
    princess princess1 football football1 baseball baseball1 basketball superman superman1 batman123 spiderman
    starwars pokemon1 pokemon123 trustno1 whatever computer computer1 internet samsung1 michelle jennifer jonathan
    chocolate butterfly elephant liverpool liverpool1 chelsea1 arsenal1 barcelona juventus mustang1 corvette
    changeme changeme123 default1 administrator admin123 admin1234 adminadmin rootroot testtest test1234 testing123
    guest123 master123 dragon123 monkey123 shadow123 charlie1 hello123 helloworld qwertyqwerty access123 secret123
    freedom1 jordan23 maverick midnight mountain november december february september victoria alexander elizabeth
";

/// Checks a new password: 8 to 1,024 characters, no NUL, none that is guessed first, not the username.
pub(crate) fn check_new_password(password: &str, username: &str) -> Result<(), AccountProblem> {
    if password.len() > 4_096 || !(8..=1_024).contains(&password.chars().count()) {
        return Err(AccountProblem::PasswordLength);
    }
    if password.contains('\0') {
        return Err(AccountProblem::PasswordNul);
    }
    let key = folded(password);
    if COMMON.split_whitespace().any(|common| common == key) {
        return Err(AccountProblem::PasswordCommon);
    }
    if key == folded(username.trim()) {
        return Err(AccountProblem::PasswordIsUsername);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_new_password;

    #[test]
    fn a_password_has_8_to_1024_characters_and_is_not_common_log_10() {
        for bad in ["1234567", "Password123", "nul\0nul\0nul", "ada.lovelace", &"x".repeat(1_025)] {
            assert!(check_new_password(bad, "Ada.Lovelace").is_err(), "{bad:?}");
        }
        for good in ["correct horse", &"ü".repeat(1_024), "私のパスワードです"] {
            assert!(check_new_password(good, "ada").is_ok(), "{good}");
        }
    }
}
