//! Documents on a web server that does what a hostile one would.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

const HOST: &str = "app.example.com";

/// Leads every name to one place, as a public name server leads a public name.
struct OnePlace(SocketAddr, Arc<AtomicUsize>);

impl Resolve for OnePlace {
    fn resolve(&self, _: Name) -> Resolving {
        self.1.fetch_add(1, Ordering::SeqCst);
        let address = self.0;
        Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
    }
}

/// Answers the request for `/NUMBER` with the answer of that number, byte for byte.
async fn web_server(answers: Vec<Vec<u8>>) -> (DocumentReader, Arc<AtomicUsize>) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answers) = (acceptor.clone(), answers.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = vec![0; 2_048];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let number = text.split(['/', ' ']).nth(2).and_then(|word| word.parse::<usize>().ok()).unwrap_or_default();
                let answer = &answers[number.min(answers.len() - 1)];
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let lookups = Arc::new(AtomicUsize::new(0));
    let root = reqwest::Certificate::from_der(made.cert.der()).expect("a certificate");
    let reader = DocumentReader::build(builder(OnePlace(address, lookups.clone())).add_root_certificate(root));
    (reader.expect("a reader"), lookups)
}

#[expect(clippy::disallowed_methods, reason = "the tests' one HTTP client")]
fn builder(resolver: impl Resolve + 'static) -> reqwest::ClientBuilder {
    reqwest::Client::builder().dns_resolver(Arc::new(resolver))
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

#[tokio::test]
async fn only_a_plain_small_json_answer_is_read() {
    let good = br#"{"client_id": "https://app.example.com/0", "redirect_uris": ["https://app.example.com/cb"]}"#;
    let json = "200 OK\r\ncontent-type: application/json";
    let (reader, lookups) = web_server(vec![
        answer(json, good),
        answer("302 Found\r\nlocation: https://app.example.com/0", b""),
        answer(json, &[b' '; 6_000]),
        answer("404 Not Found\r\ncontent-type: application/json", good),
        answer("200 OK\r\ncontent-type: text/html", good),
        answer("200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip", &[0x1f, 0x8b, 8, 0]),
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{".to_vec(),
        Vec::new(),
    ])
    .await;

    assert_eq!(reader.read("https://app.example.com/0").await.as_deref(), Ok(good.as_slice()));
    for (number, reason) in [
        (1, "answers with status 302"),
        (2, "is larger than 5 kB"),
        (3, "answers with status 404"),
        (4, "is not application/json"),
        (5, "is compressed"),
        (6, "cannot be read (the answer is broken)"),
        (7, "cannot be read (it takes too long)"),
    ] {
        let refused = reader.read(&format!("https://app.example.com/{number}")).await;
        assert_eq!(refused.expect_err("refused"), reason, "SSR-02");
    }
    assert_eq!(
        lookups.load(Ordering::SeqCst),
        8,
        "SSR-01: the name is looked up for every connection, and no redirect is followed"
    );
    assert!(reader.read("http://app.example.com/0").await.is_err(), "SSR-01: never without TLS");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_connected_to() {
    let reader = DocumentReader::new().expect("a reader");

    // `localhost` stands for any name whose owner lets it lead to a private address.
    for url in ["https://localhost/client.json", "https://ip6-localhost/client.json"] {
        let refused = reader.read(url).await.expect_err("refused");
        assert_eq!(refused, "cannot be read (no connection to a public host)", "SSR-01 {url}");
    }
}
