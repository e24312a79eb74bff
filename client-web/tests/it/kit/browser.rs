//! A browser without a screen: cookies, forms and no redirects that one does not see.

use std::collections::BTreeMap;
use std::sync::Mutex;

use http::{HeaderMap, StatusCode};
use picard_web::RunningWeb;

/// What came back.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    /// The value of the first hidden field or input of that name.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!(r#"name="{name}" value=""#))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    }

    /// What is in the text area.
    pub(crate) fn text_area(&self) -> &str {
        let (_, rest) = self.body.split_once("<textarea").unwrap_or_default();
        let (_, rest) = rest.split_once(">\n").unwrap_or_default();
        rest.split_once("</textarea>").unwrap_or_default().0
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

/// Keeps cookies and the form token of the last page.
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
    cookies: Mutex<BTreeMap<String, String>>,
    csrf: Mutex<String>,
}

impl Browser {
    pub(crate) fn at(web: &RunningWeb) -> Self {
        Self::at_address(&web.address().to_string())
    }

    #[expect(clippy::disallowed_methods, reason = "the tests' one client")]
    pub(crate) fn at_address(address: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        Self {
            http: http.expect("a client"),
            base: format!("http://{address}"),
            cookies: Mutex::default(),
            csrf: Mutex::default(),
        }
    }

    /// The same person with the same cookies at another copy of the application.
    pub(crate) fn also_at(&self, web: &RunningWeb) -> Self {
        let other = Self::at(web);
        *other.cookies.lock().expect("a lock") = self.cookies();
        *other.csrf.lock().expect("a lock") = self.csrf();
        other
    }

    /// Whether anything listens there yet.
    pub(crate) async fn answers(&self) -> bool {
        self.http.get(self.url("/health")).send().await.is_ok()
    }

    pub(crate) fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().expect("a lock").clone()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().expect("a lock").insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn forget_cookies(&self) {
        self.cookies.lock().expect("a lock").clear();
    }

    pub(crate) fn csrf(&self) -> String {
        self.csrf.lock().expect("a lock").clone()
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(self.url(path))).await
    }

    /// Asks for a page with these headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = self.http.get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Sends a form with the token of the last page that had one.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post_raw(path, &all, &[]).await
    }

    /// Writes a private memory.
    pub(crate) async fn write(&self, text: &str) -> Page {
        self.post("/memories/new", &[("text", text), ("permission", "private")]).await
    }

    /// Sends exactly these fields and headers.
    pub(crate) async fn post_raw(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let mut request = self.http.post(self.url(path)).form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// Sends a form whose parts come one after the other, each with a name, the name of a file if it is one, and its content.
    pub(crate) async fn send_parts(&self, path: &str, parts: &[(&str, Option<&str>, &str)]) -> Page {
        let mut body = String::new();
        for (name, file, content) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            body.push_str(&format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n"));
        }
        body.push_str("--cut--\r\n");
        let request = self.http.post(self.url(path)).header("content-type", "multipart/form-data; boundary=cut");
        self.send(request.body(body)).await
    }

    /// How an answer is encoded.
    pub(crate) async fn encoding(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let cookies: Vec<String> = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.get(self.url(path)).header("cookie", cookies.join("; "));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        response.headers().get("content-encoding").map(|value| value.to_str().expect("a word").to_owned()).unwrap_or_default()
    }

    /// How many bytes come over the wire for a page, as browsers ask for it.
    pub(crate) async fn size(&self, path: &str) -> usize {
        let cookies: Vec<String> = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.http.get(self.url(path)).header("cookie", cookies.join("; "));
        let request = request.header("accept-encoding", "gzip, br").header("sec-fetch-site", "same-origin");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.bytes().await.expect("a body").len()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header("cookie", cookies.join("; ")).send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let page = Page { status, headers, body: response.text().await.expect("a text") };
        self.remember(&page);
        page
    }

    fn remember(&self, page: &Page) {
        for cookie in page.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("a cookie");
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            let mut cookies = self.cookies.lock().expect("a lock");
            if cookie.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        if let Some(csrf) = page.field("csrf") {
            *self.csrf.lock().expect("a lock") = csrf;
        }
    }
}
