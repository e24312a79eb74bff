//! The server's own pages: sign in, sign up, consent, connections, errors. Plain HTML forms without a script,
//! in English and German.
//!
//! Start with [`session`], which says who is there and whether a form is ours, then `authorize.rs`.

pub(crate) mod assets;
pub(crate) mod authorize;
pub(crate) mod connections;
pub(crate) mod frame;
pub(crate) mod session;
pub(crate) mod sign_in;
pub(crate) mod sign_up;
pub(crate) mod words;

/// The page that belongs to the server itself, for whoever comes without a purpose.
pub(crate) const OWN_PAGE: &str = "/connections";

/// What the address says, or nothing where it says something else.
pub(crate) fn read_wish<T: serde::de::DeserializeOwned + Default>(query: Option<&str>) -> T {
    serde_urlencoded::from_str(query.unwrap_or_default()).unwrap_or_default()
}

/// The page to go to after signing in: only ever the authorization endpoint or the server's own page (LOG-12).
pub(crate) fn own_path(wish: &str) -> &str {
    let is_plain = wish.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    if is_plain && wish.starts_with("/authorize?") { wish } else { OWN_PAGE }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn signing_in_leads_only_to_own_pages() {
        for bad in
            ["", "https://evil", "//evil", "/\\evil", "javascript:alert(1)", "/authorize", "/authorize?a=\nb", "/login?next=/"]
        {
            assert_eq!(own_path(bad), "/connections", "LOG-12 {bad:?}");
        }
        assert_eq!(own_path("/authorize?client_id=1&state=%00"), "/authorize?client_id=1&state=%00");
    }
}
