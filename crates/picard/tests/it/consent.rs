//! A program on somebody's computer asks to be let in: registration, sign-up, consent and the end of it, in a browser.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::browser::{Browser, ENTER, Programs, TAB};
use crate::house::TWO;
use crate::kit::{Up, folder, http};

const PASSWORD: &str = "seven quiet harbours";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The program: it listens for its answer on a port of its own.
struct Program {
    server: String,
    http: Client,
    client_id: String,
    redirect_uri: String,
    /// The path and query that the browser came with.
    answer: Arc<Mutex<Option<String>>>,
}

impl Program {
    async fn register(server: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answer = Arc::new(Mutex::new(None));
        tokio::spawn(listen(listener, Arc::clone(&answer)));
        let http = http();
        let body = json!({
            "client_name": "A <b>little</b> editor", "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none",
        });
        let registered = http.post(format!("{server}/register")).json(&body).send().await.expect("an answer");
        assert_eq!(registered.status(), StatusCode::CREATED);
        let registered: Value = registered.json().await.expect("JSON");
        let client_id = registered["client_id"].as_str().expect("an id").to_owned();
        Self { server, http, client_id, redirect_uri: format!("http://127.0.0.1:{port}/callback"), answer }
    }

    /// Where it sends the browser to.
    fn path(&self) -> String {
        let mut url = Url::parse(&format!("{}/authorize", self.server)).expect("a URL");
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", "memories:read memories:write")
            .append_pair("state", "a state")
            .append_pair("code_challenge", &challenge())
            .append_pair("code_challenge_method", "S256");
        format!("/authorize?{}", url.query().expect("a query"))
    }

    /// Waits for the browser and gives back what it brings.
    async fn answer(&self, name: &str) -> Option<String> {
        for _ in 0..300 {
            if let Some(path) = self.answer.lock().await.take() {
                let url = Url::parse(&format!("http://127.0.0.1{path}")).expect("a URL");
                assert!(url.query_pairs().any(|(name, value)| name == "iss" && value == self.server), "AUT-09 {url}");
                return url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nobody came back");
    }

    async fn exchange(&self, code: &str) -> String {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", VERIFIER),
        ];
        let response = self.http.post(format!("{}/token", self.server)).form(&form).send().await.expect("an answer");
        let tokens: Value = response.json().await.expect("JSON");
        tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}")).to_owned()
    }

    async fn is_welcome(&self, token: &str) -> bool {
        let call = json!({ "tool": "retrieve_memories", "data": {} });
        let request = self.http.post(format!("{}/api/tools", self.server)).bearer_auth(token).json(&call);
        request.send().await.expect("an answer").status() == StatusCode::OK
    }
}

async fn listen(listener: TcpListener, answer: Arc<Mutex<Option<String>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = vec![0; 4_096];
        let length = stream.read(&mut request).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&request[..length]).into_owned();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        if path.starts_with("/callback") {
            *answer.lock().await = Some(path);
        }
        let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<link rel=icon href=data:,>You may close this.";
        let _ = stream.write_all(page.as_bytes()).await;
    }
}

fn challenge() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

#[tokio::test]
async fn a_person_lets_a_program_in_and_ends_it_again() {
    let_in_and_out(&[]).await;
}

#[tokio::test]
async fn a_person_lets_a_program_in_at_one_server_and_ends_it_at_another_flt_17() {
    let_in_and_out(&TWO).await;
}

async fn let_in_and_out(arguments: &[&str]) {
    let Some(programs) = Programs::installed() else { return };
    let folder = folder();
    let up = Up::start(&folder.path().join("data"), arguments);
    let server = up.says("server_url");
    let browser = Browser::start(&programs, &server).await;
    let program = Program::register(server).await;

    browser.open(&program.path()).await;
    browser.arrive("/login").await;
    browser.see("A <b>little</b> editor wants to use your memories.").await;
    browser.press("Create an account").await;
    browser.arrive("/signup").await;
    browser.fill("username", "beverly").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Create account").await;
    browser.see("A program on your own computer asks").await;
    browser.see("unverified").await;
    browser.press("Deny").await;
    browser.see("You may close this.").await;
    assert_eq!(program.answer("error").await.as_deref(), Some("access_denied"), "LOG-13");

    browser.open(&program.path()).await;
    browser.see("Read your memories").await;
    browser.press("Allow").await;
    // The policy of the page lets its form lead to the program, and nowhere else (LOG-04).
    browser.see("You may close this.").await;
    let code = program.answer("code").await.expect("a code");
    let token = program.exchange(&code).await;
    assert!(program.is_welcome(&token).await);

    browser.open("/connections").await;
    browser.see("A <b>little</b> editor").await;
    browser.press("End connection").await;
    browser.see("The connection has ended").await;
    assert!(!program.is_welcome(&token).await, "REV-08");

    browser.press("Sign out").await;
    browser.see("You are signed out.").await;
    // Without a mouse: name, password, Enter.
    browser.fill("username", "beverly").await;
    browser.keys(TAB).await;
    browser.keys(PASSWORD).await;
    browser.keys(ENTER).await;
    browser.arrive("/connections").await;
    browser.see("No application is connected").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
