//! Forged, broken and misplaced tokens.

use picard_domain::Scope;
use serde_json::{Value, json};

use super::*;
use crate::SigningKey;

const NOW: i64 = 1_800_000_000;

struct World {
    keys: KeySet,
    issuer: Issuer,
    kid: String,
    pkcs8: Vec<u8>,
}

fn world() -> World {
    let key = SigningKey::generate().expect("a key");
    let (kid, pkcs8) = (key.kid().to_owned(), key.pkcs8().to_vec());
    World { keys: KeySet::new(&[key]).expect("a key set"), issuer: Issuer { url: "http://127.0.0.1:8001".into() }, kid, pkcs8 }
}

fn claims() -> AccessTokenClaims {
    AccessTokenClaims {
        token_id: TokenId::generate(),
        user_id: UserId::generate(),
        client_id: "2f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11".into(),
        grant_id: GrantId::generate(),
        scopes: [Scope::Read].into_iter().collect(),
        audience: "http://127.0.0.1:8001".into(),
        issued_at: NOW,
        expires_at: NOW + 3_600,
    }
}

impl World {
    fn verify(&self, token: &str) -> Result<AccessTokenClaims, InvalidToken> {
        verify(&self.keys, &self.issuer, token, NOW)
    }

    /// A token signed with our own key whose header and body were changed first.
    fn forge(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let mut header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": self.kid });
        let mut body = json!({
            "iss": self.issuer.url, "aud": self.issuer.url, "sub": UserId::generate(), "client_id": "2f1c1a34-7d0f-4b9e-9c39-0a6f3f6f8d11",
            "scope": "memories:read", "iat": NOW, "exp": NOW + 60, "jti": TokenId::generate(), "sid": GrantId::generate(),
        });
        change(&mut header, &mut body);
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(&body));
        let key = jsonwebtoken::EncodingKey::from_ec_der(&self.pkcs8);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256).expect("a signature");
        format!("{message}.{signature}")
    }
}

#[test]
fn an_issued_token_verifies_until_it_expires() {
    let world = world();
    for audience in [world.issuer.url.clone(), world.issuer.mcp_audience()] {
        let claims = AccessTokenClaims { audience, ..claims() };
        let token = issue(&world.keys, &world.issuer, &claims).expect("a token");

        assert_eq!(world.verify(&token), Ok(claims.clone()));
        assert_eq!(verify(&world.keys, &world.issuer, &token, claims.expires_at), Err(InvalidToken), "JWT-03");
    }
    assert!(world.verify(&world.forge(|_, _| {})).is_ok(), "the forger itself works");
}

#[test]
fn a_header_of_another_kind_is_refused() {
    let world = world();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("nOnE")),
        ("alg", json!("HS256")),
        ("alg", json!("ES384")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("' OR 1=1 --")),
        ("crit", json!(["exp"])),
    ] {
        let token = world.forge(|header, _| header[name] = value.clone());

        assert_eq!(world.verify(&token), Err(InvalidToken), "JWT-01, JWT-02, JWT-05, JWT-06 {name}={value}");
    }
}

#[test]
fn claims_that_are_wrong_or_of_another_type_are_refused() {
    let world = world();
    for (name, value) in [
        ("exp", json!(NOW)),
        ("exp", json!((NOW + 60).to_string())),
        ("exp", json!(1e308)),
        ("exp", json!(NOW as f64 + 60.5)),
        ("exp", json!(-1)),
        ("exp", Value::Null),
        ("exp", json!([NOW + 60])),
        ("iat", json!(NOW + 31)),
        ("iat", json!("now")),
        ("nbf", json!(NOW + 31)),
        ("nbf", json!("0")),
        ("nbf", Value::Null),
        ("aud", json!("https://other.example")),
        ("aud", json!(["https://other.example"])),
        ("aud", json!("")),
        ("iss", json!("http://127.0.0.1:8001/")),
        ("iss", Value::Null),
        ("sub", json!("admin")),
        ("scope", json!(["memories:read"])),
        ("sid", json!("x")),
    ] {
        let token = world.forge(|_, body| body[name] = value.clone());
        assert_eq!(world.verify(&token), Err(InvalidToken), "JWT-03, JWT-04 {name}={value}");

        let without = world.forge(|_, body| drop(body.as_object_mut().and_then(|body| body.remove(name))));
        assert!(name == "nbf" || world.verify(&without) == Err(InvalidToken), "JWT-03, JWT-04 without {name}");
    }
}

#[test]
fn a_changed_token_is_refused() {
    let world = world();
    let token = world.forge(|_, _| {});
    let other = self::world();

    for index in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).expect("text");
        // The last character of a base64 text can have bits that mean nothing.
        assert!(index + 1 == token.len() || world.verify(&changed) == Err(InvalidToken), "JWT-07 at {index}");
    }
    for changed in
        [format!("{token}.x"), format!("{token}="), token[..token.len() - 4].to_owned(), "x".repeat(1 << 20), String::new()]
    {
        assert_eq!(world.verify(&changed), Err(InvalidToken), "JWT-07");
    }
    assert_eq!(other.verify(&token), Err(InvalidToken), "JWT-05: another server's key");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_verifier_panic(text in ".{0,300}") {
        let world = world();
        proptest::prop_assert_eq!(world.verify(&text), Err(InvalidToken));
    }
}
