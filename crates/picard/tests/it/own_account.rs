//! Connecting the web application with an account that somebody has at the server, in a browser.

use crate::house::{CELLO, House, register, write};

const PASSWORD: &str = "four bright lanterns";

#[tokio::test]
async fn a_person_connects_with_their_own_account_at_the_server() {
    let Some(House { browser, up, _folder: _kept }) = House::open().await else { return };
    register(&browser, "geordi").await;

    browser.press("Sign in at the Picard server").await;
    // It is the server that asks for the password.
    let server = up.says("server_url");
    browser.arrive(&format!("{server}/login")).await;
    browser.press("Create an account").await;
    browser.arrive(&format!("{server}/signup")).await;
    browser.fill("username", "laforge").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Create account").await;
    browser.see("Let Picard web in?").await;
    browser.press("Deny").await;
    browser.see("You did not allow it").await;
    let said = browser.complaints().await;
    assert!(said.iter().all(|line| line.contains("400 (Bad Request)")), "only that it was no: {said:?}");

    browser.press("Go to the connection").await;
    browser.press("Sign in at the Picard server").await;
    browser.see("Let Picard web in?").await;
    browser.press("Allow").await;
    browser.arrive("/memories").await;
    browser.see("You are connected.").await;
    write(&browser, CELLO).await;
    browser.open("/connections").await;
    browser.see("by you, at the Picard server").await;
    // The person has allowed it there before, so the server does not ask again.
    browser.press("Connect again").await;
    browser.arrive("/memories").await;
    browser.see("You are connected.").await;
    browser.see("cello").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // Another person takes the name here that the account has there (WEB-10).
    browser.click(".menu > summary").await;
    browser.press("Sign out").await;
    browser.see("You are signed out.").await;
    register(&browser, "laforge").await;
    browser.press("Connect").await;
    browser.see("This account belongs to somebody already").await;
    browser.open("/memories").await;
    browser.arrive("/connect").await;
    assert!(!browser.text().await.contains("cello"), "WEB-10: nobody else's memories");
}
