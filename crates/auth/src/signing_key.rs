//! The keys that sign access tokens: ECDSA on P-256 (ES256, RFC 7518), which every JWT library verifies.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use picard_crypto::hash_token;
use serde_json::{Value, json};

/// Says that a key cannot be made or read.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the signing key cannot be used")]
pub struct SigningKeyError;

/// One key: the private half signs, the public half is published.
pub struct SigningKey {
    kid: String,
    public_jwk: Value,
    pkcs8: Vec<u8>,
}

impl SigningKey {
    /// Makes a new key. Its name is the RFC 7638 thumbprint of its public half.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn generate() -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| SigningKeyError)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| SigningKeyError)?.as_ref().to_vec();
        // The uncompressed point: 0x04, then 32 bytes each of x and y.
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..33).zip(point.get(33..65)).ok_or(SigningKeyError)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let kid = URL_SAFE_NO_PAD.encode(hash_token(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)));
        let public_jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": "ES256", "kid": kid });
        Ok(Self { kid, public_jwk, pkcs8 })
    }

    /// Puts a stored key together again.
    #[must_use]
    pub fn from_parts(kid: String, public_jwk: Value, pkcs8: Vec<u8>) -> Self {
        Self { kid, public_jwk, pkcs8 }
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public JSON Web Key.
    #[must_use]
    pub fn public_jwk(&self) -> &Value {
        &self.public_jwk
    }

    /// The private key as PKCS#8, to be stored encrypted.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

struct Verifier {
    kid: String,
    key: DecodingKey,
    public_jwk: Value,
}

/// The key that signs and all keys that verify.
pub struct KeySet {
    signing_kid: String,
    signing_key: EncodingKey,
    verifiers: Vec<Verifier>,
}

impl KeySet {
    /// Takes the keys, the one that signs first.
    ///
    /// # Errors
    /// When there is no key, or one cannot be read.
    pub fn new(keys: &[SigningKey]) -> Result<Self, SigningKeyError> {
        let first = keys.first().ok_or(SigningKeyError)?;
        let verifiers = keys.iter().map(verifier).collect::<Result<_, _>>()?;
        Ok(Self { signing_kid: first.kid.clone(), signing_key: EncodingKey::from_ec_der(&first.pkcs8), verifiers })
    }

    /// The JWK set (RFC 7517): public halves only (JWT-10).
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.verifiers.iter().map(|verifier| &verifier.public_jwk).collect::<Vec<_>>() })
    }

    /// Whether this key is in the set.
    #[must_use]
    pub fn knows(&self, kid: &str) -> bool {
        self.verifying(kid).is_some()
    }

    pub(crate) fn signing(&self) -> (&str, &EncodingKey) {
        (&self.signing_kid, &self.signing_key)
    }

    pub(crate) fn verifying(&self, kid: &str) -> Option<&DecodingKey> {
        self.verifiers.iter().find(|verifier| verifier.kid == kid).map(|verifier| &verifier.key)
    }
}

fn verifier(key: &SigningKey) -> Result<Verifier, SigningKeyError> {
    let part = |name: &str| key.public_jwk.get(name).and_then(Value::as_str).ok_or(SigningKeyError);
    let decoding = DecodingKey::from_ec_components(part("x")?, part("y")?).map_err(|_| SigningKeyError)?;
    Ok(Verifier { kid: key.kid.clone(), key: decoding, public_jwk: key.public_jwk.clone() })
}
