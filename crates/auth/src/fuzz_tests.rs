//! Everything that strangers write and this crate reads, fed with what they could write. A second each in a test run,
//! `FUZZ_SECONDS` each with `scripts/fuzz`.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use picard_domain::{Scope, Scopes};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::access_token::{Issuer, key_id, verify};
use crate::authorize::Parameters;
use crate::client::{client_credentials, parse_basic};
use crate::redirect_uri::{check_redirect_uri, matches_registered};
use crate::{KeySet, SigningKey};

#[expect(clippy::disallowed_methods, reason = "how long a test takes is no setting of a program")]
fn seconds() -> u64 {
    std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Tries until the time is over.
fn fuzz<S: Strategy>(strategy: S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let began = Instant::now();
    let mut runner = TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    while began.elapsed() < Duration::from_secs(seconds()) {
        runner.run(&strategy, &check).expect("no input breaks it");
    }
}

fn uri() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,120}",
        "(https?|HTTP|ftp|javascript)?:?/{0,3}([a-zA-Z0-9.-]|%[0-9a-f]{2}|[@:\\[\\]]|\\PC){0,30}(:[0-9]{0,6})?([/?#]\\PC{0,20}){0,3}",
        "http://(127\\.0\\.0\\.1|\\[::1\\]|localhost)(:[0-9]{0,6})?[/?#@:.a-z%0-9]{0,20}",
    ]
}

#[test]
fn fuzz_redirect_matcher() {
    fuzz((uri(), uri(), any::<bool>()), |(registered, other, is_same)| {
        let requested = if is_same { registered.clone() } else { other };
        let _ = check_redirect_uri(&requested);
        if !matches_registered(&registered, &requested) {
            prop_assert_ne!(&registered, &requested);
            return Ok(());
        }
        // What may be registered matches only what leads to the same host and path.
        if check_redirect_uri(&registered).is_ok() {
            let parsed = |uri: &str| {
                let url = url::Url::parse(uri).expect("what matches a good URI is one");
                (
                    url.scheme().to_owned(),
                    url.host_str().map(str::to_owned),
                    url.path().to_owned(),
                    url.query().map(str::to_owned),
                )
            };
            prop_assert_eq!(parsed(&registered), parsed(&requested));
        }
        Ok(())
    });
}

#[test]
fn fuzz_scope_parser() {
    let word = prop_oneof![
        Just("memories:read".to_owned()),
        Just("memories:write".to_owned()),
        Just("memories:admin".to_owned()),
        "\\PC{0,20}"
    ];
    let text = prop_oneof![prop::collection::vec(word, 0..6).prop_map(|words| words.join(" ")), "\\PC{0,200}"];
    fuzz(text, |text| {
        let _ = crate::authorize::parse_scope(&text);
        if let Ok(scopes) = text.parse::<Scopes>() {
            let again: Scopes = scopes.to_string().parse().expect("what was written can be read");
            prop_assert_eq!(&again, &scopes);
            let known: Scopes = Scope::ALL.into_iter().collect();
            prop_assert!(scopes.is_subset(&known));
        }
        Ok(())
    });
}

#[test]
fn fuzz_token_header_and_claims() {
    let key = SigningKey::generate().expect("a key");
    let kid = key.kid().to_owned();
    let keys = KeySet::new(&[key]).expect("a key set");
    let issuer = Issuer { url: "https://picard.example.org".to_owned() };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let member = prop_oneof![
        Just("null".to_owned()),
        Just("1e308".to_owned()),
        "-?[0-9]{1,25}",
        "\"\\PC{0,20}\"",
        Just("[1,{}]".to_owned()),
        Just("\"at+jwt\"".to_owned()),
        Just("\"ES256\"".to_owned()),
        Just(format!("\"{kid}\"")),
    ];
    let header = (member.clone(), member.clone(), member.clone(), "\\PC{0,30}")
        .prop_map(|(typ, alg, kid, more)| format!("{{\"typ\":{typ},\"alg\":{alg},\"kid\":{kid}{more}}}"));
    let claims = (member.clone(), member.clone(), member).prop_map(|(exp, aud, sub)| {
        format!("{{\"iss\":\"https://picard.example.org\",\"exp\":{exp},\"aud\":{aud},\"sub\":{sub}}}")
    });
    let token = prop_oneof![
        "\\PC{0,300}",
        "[A-Za-z0-9_-]{0,80}(\\.[A-Za-z0-9_=-]{0,80}){0,4}",
        (header, claims, "\\PC{0,40}").prop_map(move |(header, claims, signature)| {
            format!("{}.{}.{}", encode(&header), encode(&claims), encode(&signature))
        }),
    ];
    fuzz(token, |token| {
        let _ = key_id(&token);
        prop_assert!(verify(&keys, &issuer, &token, 1_800_000_000).is_err(), "nobody else can sign");
        Ok(())
    });
}

#[test]
fn fuzz_basic_header() {
    let pair = prop_oneof!["\\PC{0,60}", "[a-z0-9%+:]{0,40}", ".{0,40}"];
    let header = prop_oneof![
        "\\PC{0,100}",
        (prop_oneof![Just("Basic"), Just("basic"), Just("Bearer")], pair)
            .prop_map(|(scheme, pair)| format!("{scheme} {}", STANDARD.encode(pair))),
        "Basic [A-Za-z0-9+/=]{0,80}",
    ];
    fuzz((header, prop::option::of("\\PC{0,20}"), prop::option::of("\\PC{0,20}")), |(header, id, secret)| {
        let _ = client_credentials(Some(&header), id.as_deref(), secret.as_deref());
        if let Some((name, password)) = parse_basic(&header) {
            let again = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
            prop_assert_eq!(parse_basic(&again), Some((name, password)));
        }
        Ok(())
    });
}

#[test]
fn fuzz_query_decoder() {
    let part = "([a-z_]{0,12}|%[0-9a-fA-F]{0,2}|\\+|\\PC){0,8}";
    let query = prop_oneof![
        "\\PC{0,300}",
        prop::collection::vec((part, part), 0..8)
            .prop_map(|pairs| { pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&") })
    ];
    fuzz(query, |query| {
        if let Ok(parameters) = Parameters::read(&query) {
            let state = parameters.state.unwrap_or_default();
            prop_assert!(state.is_ascii() && !state.contains(['&', '#', ' ', '\r', '\n', '"', '<']), "{}", state);
        }
        Ok(())
    });
}
