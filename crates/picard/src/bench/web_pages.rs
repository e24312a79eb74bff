//! How long the web application takes for the pages that people open most, for somebody with many memories.

use std::time::{Duration, Instant};

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response};

use super::figures::within;
use super::ground::Ground;
use super::server::Server;
use super::texts::{Kind, text};
use crate::problem::Problem;
use crate::random;
use crate::rest::{self, Credentials};

/// How often each page is opened, and how often before anything is measured.
const TIMES: (u64, u64) = (200, 20);

/// A page, and the milliseconds within which 95 of 100 requests for it had their whole answer.
pub(super) type PageTime = (&'static str, f64);

/// Starts the web application at this server, and times its pages for the person of this name there, who must be one of
/// the bench's client. Pages take turns; no question is asked twice.
pub(super) async fn measure(
    ground: &Ground,
    server_url: &str,
    credentials: &Credentials,
    username: &str,
) -> Result<Vec<PageTime>, Problem> {
    let web = Server::start_web(ground, ground.web_variables(server_url, credentials).await?).await?;
    let reader = Reader::connect(ground, &web.url, username).await?;
    let mut times: [Vec<Duration>; 3] = Default::default();
    for number in 0..TIMES.0 + TIMES.1 {
        let question = text(Kind::Query, number + (1 << 32)).replace(' ', "+");
        let took = [
            reader.time(reader.http.get(&web.url)).await?,
            reader.time(reader.get("/memories")).await?,
            reader.time(reader.get(&format!("/search?q={question}"))).await?,
        ];
        if number >= TIMES.1 {
            times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
        }
    }
    web.stop().await;
    let names = ["page of picard-web: home", "page of picard-web: the list", "page of picard-web: a search"];
    Ok(names.into_iter().zip(times.iter().map(|times| within(times, 0.95))).collect())
}

/// Somebody who is signed in at the web application.
struct Reader {
    http: Client,
    url: String,
    cookie: String,
}

impl Reader {
    /// Registers the person and connects them, as the forms do.
    async fn connect(ground: &Ground, url: &str, username: &str) -> Result<Self, Problem> {
        let mut reader = Self { http: rest::client()?, url: url.to_owned(), cookie: String::new() };
        reader.submit("/register", &[("username", username), ("password", &random::secret()?)]).await?;
        ground.trust_names().await?;
        reader.submit("/connect", &[("access", "write")]).await?;
        Ok(reader)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie)
    }

    /// Opens the page of a form and sends it; a form that is accepted leads elsewhere.
    async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<(), Problem> {
        let page = self.get(path).send().await.map_err(|error| failed(path, &error))?;
        self.keep_cookie(&page);
        let page = page.text().await.map_err(|error| failed(path, &error))?;
        let token = page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        let (token, _) = token.ok_or_else(|| Problem::new(format!("picard-web has no form at {path}")))?;
        let fields: Vec<(&str, &str)> = [("csrf", token)].iter().chain(fields).copied().collect();
        let request = self.http.post(format!("{}{path}", self.url)).header(COOKIE, &self.cookie).form(&fields);
        let answer = request.send().await.map_err(|error| failed(path, &error))?;
        if !answer.status().is_redirection() {
            return Err(Problem::new(format!("picard-web does not accept the form at {path}: {}", answer.status())));
        }
        self.keep_cookie(&answer);
        Ok(())
    }

    fn keep_cookie(&mut self, answer: &Response) {
        let cookie = answer.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok());
        if let Some((cookie, _)) = cookie.and_then(|cookie| cookie.split_once(';')) {
            cookie.clone_into(&mut self.cookie);
        }
    }

    /// How long a page takes until the last of it is there.
    async fn time(&self, request: RequestBuilder) -> Result<Duration, Problem> {
        let began = Instant::now();
        let answer = request.send().await.map_err(|error| failed("a page", &error))?;
        let status = answer.status();
        answer.bytes().await.map_err(|error| failed("a page", &error))?;
        let took = began.elapsed();
        if status.is_success() { Ok(took) } else { Err(Problem::new(format!("picard-web answers {status} for a page"))) }
    }
}

fn failed(what: &str, error: &reqwest::Error) -> Problem {
    Problem::from_error(&format!("ask picard-web for {what}"), error)
}
