//! What a server says in `WWW-Authenticate` (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The challenge for bearer tokens; empty when there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// What is wrong with the token that was sent.
    pub(super) error: Option<String>,
    /// The scopes that are needed, as they were written.
    pub(super) scope: Option<String>,
    /// Where the resource's metadata are.
    pub(super) resource_metadata: Option<String>,
}

impl Challenge {
    /// The first challenge for bearer tokens in these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        texts.find_map(bearer).unwrap_or_default()
    }

    /// Whether a token with the scopes that it names would do.
    pub(super) fn asks_for_more(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope") && self.scope.is_some()
    }

    fn set(&mut self, name: &str, value: String) {
        let member = match name.to_ascii_lowercase().as_str() {
            "error" => &mut self.error,
            "scope" => &mut self.scope,
            "resource_metadata" => &mut self.resource_metadata,
            _ => return,
        };
        *member = Some(value);
    }
}

/// Finds the challenge for bearer tokens among others in one header.
fn bearer(header: &str) -> Option<Challenge> {
    let mut found: Option<Challenge> = None;
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, behind) = word(rest);
        if word.is_empty() {
            return found;
        }
        let behind = behind.trim_start_matches([' ', '\t']);
        rest = match behind.strip_prefix('=') {
            // The padding of another scheme's token68.
            Some(padding) if padding.is_empty() || padding.starts_with(['=', ',']) => padding.trim_start_matches('='),
            Some(value) => {
                let (value, behind) = value_of(value.trim_start_matches([' ', '\t']));
                if let Some(challenge) = &mut found {
                    challenge.set(word, value);
                }
                behind
            }
            // The next challenge begins.
            None if found.is_some() => return found,
            None => {
                found = word.eq_ignore_ascii_case("bearer").then(Challenge::default);
                behind
            }
        };
    }
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find([' ', '\t', ',', '=', '"']).unwrap_or(text.len()))
}

/// A parameter's value, quoted or not, and what comes behind it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, behind) = word(text);
        return (value.to_owned(), behind);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn of(headers: &[&str]) -> Challenge {
        let pairs = headers.iter().map(|text| (WWW_AUTHENTICATE, HeaderValue::from_str(text).expect("a header")));
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        Challenge::of(&map)
    }

    fn challenge(error: Option<&str>, scope: Option<&str>, resource_metadata: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge { error: owned(error), scope: owned(scope), resource_metadata: owned(resource_metadata) }
    }

    #[test]
    fn picards_challenges_are_understood() {
        let metadata = "https://a.example/.well-known/oauth-protected-resource/mcp";
        let first = of(&[&format!(r#"Bearer scope="memories:read", resource_metadata="{metadata}""#)]);
        assert_eq!(first, challenge(None, Some("memories:read"), Some(metadata)));
        assert!(!first.asks_for_more());

        let more = of(&[&format!(
            r#"Bearer error="insufficient_scope", scope="memories:read memories:write", resource_metadata="{metadata}""#
        )]);
        assert_eq!(more.scope.as_deref(), Some("memories:read memories:write"));
        assert!(more.asks_for_more());
    }

    #[test]
    fn other_schemes_and_spellings_do_not_confuse() {
        let expected = challenge(Some("invalid_token"), Some("a"), None);
        for headers in [
            &[r#"Bearer error="invalid_token", scope=a"#][..],
            &[r#"bearer ERROR = "invalid_token" ,, scope = "a""#],
            &[r#"Negotiate abc==, Bearer realm="x, y=\"Basic", error=invalid_token, scope="a", Basic scope="b""#],
            &[r#"Basic realm="Bearer scope=b""#, r#"Bearer error="invalid\_token", scope=a"#],
        ] {
            assert_eq!(of(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_challenge_is_an_empty_one() {
        for header in ["", ",", "=", "Basic realm=\"x\"", "\"", "Bearer", "Bearer scope=", "Bearer =", "Digest scope=\"a\""] {
            assert_eq!(of(&[header]), Challenge::default(), "{header}");
        }
        assert_eq!(of(&["Bearer scope=\"a"]).scope.as_deref(), Some("a"), "a quote that does not end");
        assert_eq!(of(&[]), Challenge::default());
    }
}
