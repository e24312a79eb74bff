"""What peers do of OAuth by hand: reading a challenge, asking for less, and getting a token for programs that only take one."""

import base64
import hashlib
import re
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx2

from checks import expect, expect_equal

SCOPE = "memories:read memories:write"


def challenge_of(exchange):
    """The parameters of a challenge for a bearer token (RFC 6750)."""
    challenge = exchange.headers.get("www-authenticate", "")
    expect(challenge.startswith("Bearer "), f"the challenge is {challenge!r}")
    return dict(re.findall(r'(\w+)="([^"]*)"', challenge))


def parameters_of(url):
    """The parameters of a URL's query, each of them once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def with_scope(url, scope):
    return urlunsplit(urlsplit(url)._replace(query=urlencode({**parameters_of(url), "scope": scope})))


def bearer_token(url, person, wire, name):
    """Registers a public client, lets the person agree to both scopes, and returns an access token for `/mcp`."""
    redirect_uri = "http://127.0.0.1:53684/callback"
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with httpx2.Client(event_hooks=wire.hooks(), timeout=30) as http:
        wanted = {"client_name": name, "redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none", "scope": SCOPE}
        registered = http.post(f"{url}/register", json=wanted)
        expect_equal("the status of POST /register", registered.status_code, 201)
        client = {"client_id": registered.json()["client_id"], "redirect_uri": redirect_uri, "resource": f"{url}/mcp"}
        asked = {"response_type": "code", "code_challenge": challenge, "code_challenge_method": "S256", "state": state}
        query = urlencode({**client, **asked, "scope": SCOPE})
        answer = parameters_of(person.authorize(f"{url}/authorize?{query}", redirect_uri))
        expect(answer.get("state") == state and answer.get("code"), f"the authorization endpoint answered {answer}")
        grant = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": verifier}
        tokens = http.post(f"{url}/token", data={**client, **grant})
        expect_equal("the status of POST /token", tokens.status_code, 200)
    return tokens.json()["access_token"]
