//! Says when the crate must be built again, and which database its statements are checked against.

#[expect(clippy::disallowed_methods, reason = "a build script has no configuration of its own")]
fn main() {
    // The macro that embeds the migrations sees only the files that it knows.
    println!("cargo::rerun-if-changed=../migrations/client-web");
    // Two databases in one workspace: sqlx's macros read DATABASE_URL, which is another one in each crate.
    println!("cargo::rerun-if-env-changed=WEB_DATABASE_URL");
    if let Ok(url) = std::env::var("WEB_DATABASE_URL") {
        println!("cargo::rustc-env=DATABASE_URL={url}");
    }
}
