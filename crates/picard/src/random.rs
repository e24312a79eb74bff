//! Random secrets from the operating system.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

use crate::problem::Problem;

/// 32 random bytes as base64url without padding (43 characters): safe in a URL, in SQL and in an env file.
pub fn secret() -> Result<String, Problem> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

/// A fresh Fernet key: 32 random bytes as base64url with padding (44 characters).
pub fn fernet_key() -> Result<String, Problem> {
    Ok(URL_SAFE.encode(bytes::<32>()?))
}

/// A password that a person can type: 16 characters, 96 bits.
pub fn password() -> Result<String, Problem> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<12>()?))
}

/// A short random word for the names of temporary files.
pub fn tag() -> Result<String, Problem> {
    Ok(bytes::<6>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], Problem> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| Problem::from_error("get random bytes", &error))?;
    Ok(bytes)
}
