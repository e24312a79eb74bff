//! Requests to the authorization endpoint, good and bad.

use super::*;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct World {
    uris: Vec<String>,
    scopes: Scopes,
    issuer: Issuer,
}

fn world() -> World {
    World {
        uris: vec!["https://app.example.com/cb".to_owned(), "http://127.0.0.1/cb".to_owned()],
        scopes: Scope::ALL.into_iter().collect(),
        issuer: Issuer { url: "https://picard.example.org".to_owned() },
    }
}

impl World {
    fn client(&self) -> AskingClient<'_> {
        AskingClient {
            redirect_uris: &self.uris,
            scopes: &self.scopes,
            default_scopes: None,
            origin: ClientOrigin::Administrator,
            is_confidential: true,
        }
    }

    fn check(&self, query: &str) -> Result<ValidRequest, OAuthError> {
        check(&Parameters::read(query).expect("parameters"), &self.client(), &self.issuer)
    }

    fn code(&self, more: &str) -> &'static str {
        self.check(more).expect_err(more).code
    }
}

fn good(more: &str) -> String {
    format!("response_type=code&code_challenge={CHALLENGE}&code_challenge_method=S256{more}")
}

#[test]
fn a_good_request_is_understood() {
    let world = world();

    let request =
        world.check(&good("&scope=memories:read+memories:write&resource=https://picard.example.org/mcp")).expect("valid");

    assert_eq!(request.scopes.to_string(), "memories:read memories:write");
    assert_eq!(
        (request.audience.as_str(), request.code_challenge.as_str()),
        ("https://picard.example.org/mcp", CHALLENGE),
        "AUT-10"
    );
    assert_eq!(request.prompt, Prompt::default());
}

#[test]
fn other_response_types_are_refused() {
    let world = world();
    let with = |kind: &str| good("").replace("response_type=code", kind);

    assert_eq!(world.code(&with("response_type=")), "invalid_request", "AUT-04");
    for kind in ["token", "id_token", "code+token", "CODE"] {
        assert_eq!(world.code(&with(&format!("response_type={kind}"))), "unsupported_response_type", "AUT-04 {kind}");
    }
    assert_eq!(world.code(&good("&response_mode=fragment")), "invalid_request");
    assert_eq!(world.code(&good("&request=eyJ")), "request_not_supported");
    assert_eq!(world.code(&good("&request_uri=https://a.com")), "request_uri_not_supported");
}

#[test]
fn pkce_with_s256_is_required() {
    let world = world();
    let start = "response_type=code";
    let (short, long) = (&CHALLENGE[1..], format!("{CHALLENGE}{}", "a".repeat(86)));
    for rest in [
        String::new(),
        format!("&code_challenge={CHALLENGE}"),
        format!("&code_challenge={CHALLENGE}&code_challenge_method=plain"),
        format!("&code_challenge={CHALLENGE}&code_challenge_method=s256"),
        "&code_challenge_method=S256".to_owned(),
        format!("&code_challenge={short}&code_challenge_method=S256"),
        format!("&code_challenge={long}&code_challenge_method=S256"),
        format!("&code_challenge=%2B{short}&code_challenge_method=S256"),
        format!("&code_challenge=%2F{short}&code_challenge_method=S256"),
        format!("&code_challenge={short}%3D&code_challenge_method=S256"),
    ] {
        assert_eq!(world.code(&format!("{start}{rest}")), "invalid_request", "AUT-05 {rest}");
    }
}

#[test]
fn only_registered_scopes_may_be_asked_for() {
    let world = World { scopes: [Scope::Read, Scope::Write].into_iter().collect(), ..world() };

    let many = format!("&scope={}", vec!["memories:read"; 200].join("+"));
    for scope in
        ["&scope=all", "&scope=memories:admin", "&scope=memories:read%09memories:write", "&scope=memories:read++x", &many]
    {
        assert_eq!(world.code(&good(scope)), "invalid_scope", "AUT-06 {scope}");
    }
    for least in ["", "&scope=", "&scope=offline_access"] {
        assert_eq!(world.check(&good(least)).expect("valid").scopes.to_string(), "memories:read", "AUT-06 {least}");
    }
    let own = AskingClient { default_scopes: Some(&world.scopes), ..world.client() };
    let parameters = Parameters::read(&good("")).expect("parameters");
    assert_eq!(check(&parameters, &own, &world.issuer).expect("valid").scopes.to_string(), "memories:read memories:write");
}

#[test]
fn the_administration_is_given_by_superusers_to_trusted_clients_only() {
    let all: Scopes = Scope::ALL.into_iter().collect();
    let admin: Scopes = [Scope::Admin].into_iter().collect();

    assert_eq!(givable(&all, true, ClientOrigin::Administrator), Ok(all.clone()), "AUT-07");
    assert_eq!(
        givable(&all, false, ClientOrigin::Administrator).expect("less").to_string(),
        "memories:read memories:write",
        "AUT-07"
    );
    assert_eq!(
        givable(&all, true, ClientOrigin::Registration).expect("less").to_string(),
        "memories:read memories:write",
        "AUT-07"
    );
    assert_eq!(givable(&admin, false, ClientOrigin::Administrator).expect_err("nothing").code, "invalid_scope", "AUT-07");
}

#[test]
fn the_state_comes_back_as_it_was_written() {
    let issuer = world().issuer;
    for state in ["abc", "%00%FF%fe%C3%28", "a+b%20c", "a=b/c?d:e", "%7B%22x%22%3A1%7D", &"%F0".repeat(2_000)] {
        let parameters = Parameters::read(&format!("state={state}&x=1")).expect("parameters");
        let answer = answer("https://app.example.com/cb?a=b", &[("code", "c&d e")], parameters.state.as_deref(), &issuer);
        let expected =
            format!("https://app.example.com/cb?a=b&code=c%26d%20e&state={state}&iss=https%3A%2F%2Fpicard.example.org");
        assert_eq!(answer, expected, "AUT-08, AUT-09");
    }
    assert_eq!(Parameters::read("x=1&state=").expect("parameters").state, None);
    assert_eq!(answer("https://a.com/cb", &[], None, &issuer), "https://a.com/cb?iss=https%3A%2F%2Fpicard.example.org", "AUT-08");
    assert!(Parameters::read(&format!("state={}", "x".repeat(9_000))).is_err(), "AUT-08");
    assert_eq!(Parameters::read("state=<a>\"").expect("parameters").state.as_deref(), Some("%3Ca%3E%22"));
}

#[test]
fn nothing_may_come_twice_but_the_resource() {
    for query in [
        "client_id=a&client_id=a",
        "redirect_uri=a&redirect_uri=b",
        "code_challenge=a&code_challenge=a",
        "state=a&state=a",
        "x=1&%78=2",
        "scope=%FF",
    ] {
        assert!(Parameters::read(query).is_err(), "AUT-11 {query}");
    }
    let world = world();
    let both = "&resource=https://picard.example.org/mcp&resource=https://picard.example.org";
    assert_eq!(world.code(&good(both)), "invalid_target", "AUT-10");
    assert_eq!(world.code(&good("&resource=https://other.example.org/")), "invalid_target", "AUT-10");
    assert!(world.check(&good("&resource=https://picard.example.org/mcp&resource=https://picard.example.org/mcp")).is_ok());
    assert_eq!(world.check(&good("")).expect("valid").audience, "https://picard.example.org", "AUT-10");
}

#[test]
fn the_answer_goes_to_a_registered_place_or_nowhere() {
    let world = world();
    let uri = |query: &str| redirect_uri(&Parameters::read(query).expect("parameters"), &world.client());

    assert_eq!(uri("redirect_uri=https://app.example.com/cb").as_deref(), Ok("https://app.example.com/cb"));
    assert_eq!(uri("redirect_uri=http://127.0.0.1:51004/cb").as_deref(), Ok("http://127.0.0.1:51004/cb"), "AUT-03");
    assert!(uri("redirect_uri=https://evil.example.com/cb").is_err() && uri("").is_err(), "AUT-01");

    let one = vec!["https://app.example.com/cb".to_owned()];
    let single = AskingClient { redirect_uris: &one, ..world.client() };
    assert_eq!(redirect_uri(&Parameters::default(), &single).as_deref(), Ok("https://app.example.com/cb"));
}

#[test]
fn prompts_are_understood() {
    let world = world();

    assert!(world.check(&good("&prompt=none")).expect("valid").prompt.none, "AUT-13");
    let both = world.check(&good("&prompt=login+consent")).expect("valid").prompt;
    assert!(both.login && both.consent);
    for bad in ["&prompt=none+login", "&prompt=please"] {
        assert_eq!(world.code(&good(bad)), "invalid_request", "AUT-13 {bad}");
    }
}

#[test]
fn only_trusted_clients_are_let_through_without_a_question() {
    let world = world();
    let read: Scopes = [Scope::Read].into_iter().collect();
    let both: Scopes = [Scope::Read, Scope::Write].into_iter().collect();
    let trusted = world.client();
    let plain = Prompt::default();

    assert!(is_consented(&trusted, &read, &both, plain), "LOG-15");
    assert!(!is_consented(&trusted, &both, &read, plain), "LOG-15: more asks again");
    assert!(!is_consented(&trusted, &read, &both, Prompt { consent: true, ..plain }), "LOG-15");
    assert!(!is_consented(&AskingClient { is_confidential: false, ..trusted.clone() }, &read, &both, plain), "LOG-15: public");
    for origin in [ClientOrigin::Registration, ClientOrigin::MetadataDocument] {
        assert!(!is_consented(&AskingClient { origin, ..trusted.clone() }, &read, &both, plain), "LOG-15: self-registered");
    }
}

proptest::proptest! {
    #[test]
    fn no_query_makes_the_reader_panic(query in "[ -~]{0,300}") {
        if let Ok(parameters) = Parameters::read(&query) {
            let world = world();
            let _ = redirect_uri(&parameters, &world.client());
            let _ = check(&parameters, &world.client(), &world.issuer);
        }
    }

    #[test]
    fn an_answer_is_a_url_that_begins_with_the_redirect_uri(state in "[!-~]{0,80}", code in ".{0,40}") {
        let issuer = world().issuer;
        let state = Parameters::read(&format!("state={}", state.replace('&', "%26"))).ok().and_then(|parameters| parameters.state);
        let answer = answer("https://app.example.com/cb", &[("code", &code)], state.as_deref(), &issuer);
        let url = url::Url::parse(&answer).expect("a URL");
        proptest::prop_assert_eq!(url.host_str(), Some("app.example.com"));
        proptest::prop_assert!(url.fragment().is_none());
        let codes: Vec<String> = url.query_pairs().filter(|(name, _)| name == "code").map(|(_, value)| value.into_owned()).collect();
        proptest::prop_assert_eq!(codes, vec![code]);
    }
}
