//! A person's browser: it keeps cookies, reads forms, and follows nothing by itself.

use std::collections::BTreeMap;
use std::sync::Mutex;

use picard_crypto::{ExposeSecret, pkce_s256, random_token};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};

use super::{TestServer, client, word};

pub const PASSWORD: &str = "four unrelated words";

/// A page or a redirect, as it came.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }

    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&start).unwrap_or_else(|| panic!("no field {name} in {}", self.body)).1;
        unescaped(rest.split('"').next().expect("a value"))
    }

    /// What the redirect back to the client says.
    pub fn answer(&self) -> BTreeMap<String, String> {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        let url = Url::parse(self.location()).unwrap_or_else(|_| panic!("no absolute URL: {}", self.location()));
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&")
}

/// What a client sends somebody's browser to, and what it needs afterwards.
#[derive(Debug, Clone)]
pub struct Flow {
    pub redirect_uri: String,
    pub verifier: String,
    parameters: Vec<(String, String)>,
}

impl Flow {
    /// A request that is right in every way, for the registered web application.
    pub fn new(client_id: &str, redirect_uri: &str) -> Self {
        let verifier = random_token().expose_secret().to_owned();
        let parameters = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("scope", "memories:read memories:write"),
            ("state", "a state"),
            ("code_challenge", &pkce_s256(&verifier)),
            ("code_challenge_method", "S256"),
        ];
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { redirect_uri: redirect_uri.to_owned(), verifier, parameters }
    }

    /// Changes a parameter, adds it, or leaves it out.
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.parameters.retain(|(other, _)| other != name);
        self.parameters.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    pub fn path(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.parameters).finish();
        format!("/authorize?{query}")
    }

    /// The form that exchanges the code.
    pub fn exchange(&self, code: &str) -> Vec<(&'static str, String)> {
        vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("code_verifier", self.verifier.clone()),
        ]
    }
}

pub struct Browser {
    http: reqwest::Client,
    url: String,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub fn new(url: &str) -> Self {
        Self { http: client(), url: url.to_owned(), cookies: Mutex::default() }
    }

    /// A browser in which somebody new has signed in.
    pub async fn of(server: &TestServer, username: &str) -> Self {
        let browser = Self::new(&server.url);
        browser.register(username).await;
        browser.sign_in(username, PASSWORD).await;
        browser
    }

    /// Makes an account.
    pub async fn register(&self, username: &str) {
        let body = json!({ "username": username, "email": format!("{username}@example.org"), "password": PASSWORD });
        let response = self.http.post(format!("{}/api/users", self.url)).json(&body).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::CREATED);
    }

    pub async fn sign_in(&self, username: &str, password: &str) {
        let page = self.try_sign_in(username, password).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    }

    pub async fn try_sign_in(&self, username: &str, password: &str) -> Page {
        let login = self.get("/login?next=%2Fauthorize%3Fx").await;
        self.post("/login", &[("csrf", &login.field("csrf")), ("username", username), ("password", password)]).await
    }

    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().expect("the cookies").clone()
    }

    pub fn set_cookies(&self, cookies: BTreeMap<String, String>) {
        *self.cookies.lock().expect("the cookies") = cookies;
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let cookies = self.cookies();
        let request = self.http.request(method, url);
        if cookies.is_empty() {
            return request;
        }
        let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.header("cookie", pairs.join("; "))
    }

    pub async fn send(&self, request: RequestBuilder) -> Page {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            let mut cookies = self.cookies.lock().expect("the cookies");
            if cookie.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { status, headers, body: response.text().await.expect("a body") }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    /// Answers the consent page of a flow; gives back the redirect to the client.
    pub async fn decide(&self, flow: &Flow, decision: &str) -> Page {
        let question = self.get(&flow.path()).await;
        assert_eq!(question.status, StatusCode::OK, "{} {}", question.location(), question.body);
        let form = [("csrf", &*question.field("csrf")), ("request", &*question.field("request")), ("decision", decision)];
        self.post("/consent", &form).await
    }

    /// Allows a flow and gives back the code.
    pub async fn code(&self, flow: &Flow) -> String {
        self.decide(flow, "allow").await.answer().remove("code").expect("a code")
    }
}

impl TestServer {
    /// Registers a client as programs do it.
    pub async fn register_itself(&self, more: Value) -> Value {
        let mut body =
            json!({ "redirect_uris": ["http://127.0.0.1/cb"], "client_name": "An editor", "token_endpoint_auth_method": "none" });
        super::merge(&mut body, more);
        let response = self.post("/register").json(&body).send().await.expect("an answer");
        let status = response.status();
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer
    }

    /// The flow of the web application that the kit has registered.
    pub fn flow(&self) -> Flow {
        Flow::new(&self.client_id, "https://app.example.com/cb")
    }

    /// Exchanges a code with the web application's credentials, at this server or another replica.
    pub async fn exchange_at(&self, url: &str, flow: &Flow, code: &str) -> (u16, Value) {
        let request = self.http.post(format!("{url}/token")).basic_auth(&self.client_id, Some(&self.client_secret));
        let response = request.form(&flow.exchange(code)).send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    pub async fn exchange(&self, flow: &Flow, code: &str) -> (u16, Value) {
        self.exchange_at(&self.url, flow, code).await
    }

    /// Connects somebody to a public client that has registered itself; gives back access and refresh token.
    pub async fn connect(&self, browser: &Browser, client_id: &str) -> (String, String) {
        let flow = Flow::new(client_id, "http://127.0.0.1/cb");
        let code = browser.code(&flow).await;
        let mut form = flow.exchange(&code);
        form.push(("client_id", client_id.to_owned()));
        let response = self.post("/token").form(&form).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = response.json().await.expect("JSON");
        (word(&answer["access_token"]), word(&answer["refresh_token"]))
    }
}
