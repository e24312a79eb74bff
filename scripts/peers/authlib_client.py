"""Authlib's OAuth client and its validator of access tokens. usage: authlib_client.py URL"""

import os
import secrets
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2 import rfc8414, rfc9207
from authlib.oauth2.rfc7591 import ClientMetadataClaims
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

from browser import Person, is_loopback
from checks import Checks, Wire, expect, expect_equal

SCOPE = "memories:read memories:write"
HTTPS = ("https://peers.example.com/oauth/callback",) * 2
# What is registered and what is asked for: programs on the person's machine choose their port late (RFC 8252 section 7.3).
LOOPBACK = ("http://127.0.0.1/callback", "http://127.0.0.1:53682/callback")
METHODS = ("none", "client_secret_basic", "client_secret_post")


class Validator(JWTBearerTokenValidator):
    """Validates access tokens by RFC 9068 with the keys that the server publishes."""

    def __init__(self, issuer, resource, keys):
        self._keys = KeySet.import_key_set(keys)
        super().__init__(issuer, resource)

    def get_jwks(self):
        return self._keys


class Peer:
    def __init__(self, url):
        self.url, self.wire = url, Wire()
        self.checks = Checks("authlib", self.wire)
        self.http = httpx2.Client(event_hooks=self.wire.hooks(), timeout=30)
        self.person = Person(url, self.wire)
        self.metadata = self.keys = None

    def run(self):
        with self.checks.flow():
            self.discover()
            with self.checks.check("a person signs up"):
                self.person.sign_up()
            others = []
            for method in METHODS:
                for kind, uris in (("https", HTTPS), ("loopback", LOOPBACK)):
                    with self.checks.flow():
                        others.append(Flow(self, method, kind, *uris).run(others))
        self.checks.finish()

    def discover(self):
        with self.checks.check("the metadata are valid by RFC 8414 and RFC 9207"):
            url = rfc8414.get_well_known_url(self.url, external=True)
            answer = self.http.get(url)
            expect_equal("the status of the metadata", answer.status_code, 200)
            self.metadata = rfc8414.AuthorizationServerMetadata(answer.json())
            self.metadata.validate(metadata_classes=[rfc9207.AuthorizationServerMetadata])
        with self.checks.flow(), self.checks.check("the metadata name everything that is there"):
            self.expect_metadata()
        with self.checks.check("the published keys are public ones"):
            self.keys = self.http.get(self.metadata["jwks_uri"]).json()
            expect(self.keys.get("keys"), "there are no keys")
            for key in self.keys["keys"]:
                expect(key.get("kid") and key.get("kty") in ("EC", "OKP", "RSA"), f"a key is {key}")
                expect("d" not in key and "k" not in key, "a private key is public")

    def expect_metadata(self):
        metadata = self.metadata
        expect_equal("issuer", metadata["issuer"], self.url)
        for name in ("authorization", "token", "registration", "revocation", "introspection"):
            endpoint = metadata.get(f"{name}_endpoint", "")
            expect(endpoint.startswith(self.url + "/"), f"{name}_endpoint is {endpoint!r}")
        for name, wanted in (
            ("response_types_supported", ["code"]),
            ("code_challenge_methods_supported", ["S256"]),
            ("authorization_response_iss_parameter_supported", True),
        ):
            expect_equal(name, metadata.get(name), wanted)
        for name, wanted in (
            ("grant_types_supported", ("authorization_code", "refresh_token")),
            ("scopes_supported", SCOPE.split()),
            *((f"{name}_endpoint_auth_methods_supported", METHODS) for name in ("token", "revocation", "introspection")),
        ):
            expect(set(wanted) <= set(metadata.get(name) or []), f"{name} is {metadata.get(name)!r}")

    def status_of_api(self, token):
        body = {"tool": "retrieve_memories", "data": {}}
        return self.http.post(f"{self.url}/api/tools", json=body, headers={"authorization": f"Bearer {token}"}).status_code

    def expect_refused(self, token):
        """Revocation has one second to get around."""
        until = time.monotonic() + 1
        while (status := self.status_of_api(token)) != 401 and time.monotonic() < until:
            time.sleep(0.1)
        expect_equal("the status of POST /api/tools with a revoked token", status, 401)


class Flow:
    """One registered client, from its registration to the end of its tokens."""

    def __init__(self, peer, method, kind, registered_uri, redirect_uri):
        self.peer, self.method = peer, method
        self.name = f"{'public' if method == 'none' else method} client on {kind}"
        self.registered_uri, self.redirect_uri = registered_uri, redirect_uri
        self.resource = peer.url if kind == "https" else f"{peer.url}/mcp"
        self.client = None

    def check(self, what):
        return self.peer.checks.check(f"{self.name}: {what}")

    def endpoint(self, name):
        return self.peer.metadata[f"{name}_endpoint"]

    def run(self, others):
        with self.check("registers itself"):
            self.register()
        with self.check("a person says no"):
            self.expect_denied()
        with self.check("a person says yes, and the answer has code, state and issuer"):
            answer, verifier = self.authorize()
        with self.check("the code becomes tokens"):
            first = self.exchange(answer, verifier)
        with self.check("the access token is one by RFC 9068"):
            self.expect_claims(first["access_token"])
        with self.check("the API takes it"):
            expect_equal("the status of POST /api/tools", self.peer.status_of_api(first["access_token"]), 200)
        with self.check("introspection tells the client about its tokens"):
            self.expect_introspection(first)
        if others:
            with self.check("introspection tells another client nothing"):
                expect_equal("the answer", others[-1].introspect(first["access_token"]), {"active": False})
        with self.check("a refresh token is used up"):
            second = self.refresh(first)
            third = self.refresh(second)
            expect_equal("the status of POST /api/tools", self.peer.status_of_api(third["access_token"]), 200)
            # Whether this ends the family at once is the server's REFRESH_LEEWAY_SECONDS.
            self.expect_error("invalid_grant", lambda: self.refresh(first))
        with self.check("a revoked access token is refused"):
            self.revoke(third["access_token"], "access_token")
            self.peer.expect_refused(third["access_token"])
            expect_equal("introspection", self.introspect(third["access_token"]), {"active": False})
        with self.check("a revoked refresh token takes its family with it"):
            self.revoke(third["refresh_token"], "refresh_token")
            self.peer.expect_refused(second["access_token"])
            self.expect_error("invalid_grant", lambda: self.refresh(third))
        with self.check("a code serves once, and only with its verifier"):
            self.expect_code_guarded()
        return self

    def register(self):
        wanted = {
            "client_name": f"Peer {self.name}",
            "redirect_uris": [self.registered_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": self.method,
            "scope": SCOPE,
        }
        answer = self.peer.http.post(self.endpoint("registration"), json=wanted)
        expect_equal("the status of the registration", answer.status_code, 201)
        expect("no-store" in answer.headers.get("cache-control", ""), "the registration may be cached")
        told = answer.json()
        ClientMetadataClaims(told, {}, ClientMetadataClaims.get_claims_options(self.peer.metadata)).validate()
        for name in ("client_name", "redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types"):
            expect_equal(name, told.get(name), wanted[name])
        expect_equal("scope", set(told["scope"].split()), set(SCOPE.split()))
        if self.method == "none":
            expect("client_secret" not in told, "a public client has got a secret")
        else:
            expect(told.get("client_secret"), "a confidential client has no secret")
            expect("client_secret_expires_at" in told, "client_secret_expires_at is missing (RFC 7591 section 3.2.1)")
        self.client = OAuth2Client(
            client_id=told["client_id"],
            client_secret=told.get("client_secret"),
            token_endpoint_auth_method=self.method,
            revocation_endpoint_auth_method=self.method,
            scope=SCOPE,
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
            event_hooks=self.peer.wire.hooks(),
        )

    def authorize(self, decision="allow"):
        """Returns the redirect with the answer, checked, and the verifier."""
        verifier = secrets.token_urlsafe(48)
        url, state = self.client.create_authorization_url(
            self.endpoint("authorization"), code_verifier=verifier, resource=self.resource
        )
        answer = self.peer.person.authorize(url, self.redirect_uri, decision)
        parameters = parse_qs(urlsplit(answer).query, keep_blank_values=True)
        expect_equal("state", parameters.get("state"), [state])
        expect_equal("iss", parameters.get("iss"), [self.peer.metadata["issuer"]])
        if decision == "allow":
            expect(len(parameters.get("code", [])) == 1 and "error" not in parameters, f"the answer is {answer}")
            self.client.state = state
        else:
            expect_equal("error", parameters.get("error"), ["access_denied"])
            expect("code" not in parameters, "a code came with the error")
        return answer, verifier

    def expect_denied(self):
        self.authorize("deny")

    def exchange(self, answer, verifier):
        token = self.client.fetch_token(
            self.endpoint("token"), authorization_response=answer, code_verifier=verifier, resource=self.resource
        )
        said = self.peer.wire.tail(1)[0]
        expect("no-store" in said.headers.get("cache-control", ""), "the tokens may be cached")
        expect_equal("token_type", token["token_type"], "Bearer")
        expect(token.get("expires_in") and token.get("refresh_token"), "expires_in or refresh_token is missing")
        expect_equal("scope", set(token["scope"].split()), set(SCOPE.split()))
        return dict(token)

    def expect_claims(self, token):
        validator = Validator(self.peer.url, self.resource, self.peer.keys)
        claims = validator.authenticate_token(token)
        validator.validate_token(claims, SCOPE.split(), None)
        expect_equal("typ", claims.header.get("typ"), "at+jwt")
        expect(claims.header["alg"] in ("ES256", "EdDSA", "Ed25519", "RS256", "PS256"), f"alg is {claims.header['alg']}")
        expect_equal("client_id", claims["client_id"], self.client.client_id)
        expect(0 < claims["exp"] - claims["iat"] <= 3_600, "the token does not live for an hour at most")
        expect(abs(time.time() - claims["iat"]) < 60, "iat is not now")

    def introspect(self, token):
        answer = self.client.introspect_token(self.endpoint("introspection"), token=token)
        expect_equal("the status of the introspection", answer.status_code, 200)
        return answer.json()

    def expect_introspection(self, token):
        told = self.introspect(token["access_token"])
        expect(told.get("active") is True, "the access token is not active")
        expect_equal("client_id", told.get("client_id"), self.client.client_id)
        expect_equal("scope", set(told["scope"].split()), set(SCOPE.split()))
        expect_equal("iss", told.get("iss"), self.peer.url)
        for name in ("sub", "exp", "iat", "aud", "jti"):
            expect(told.get(name), f"{name} is missing")
        expect(self.introspect(token["refresh_token"]).get("active") is True, "the refresh token is not active")

    def refresh(self, token):
        fresh = dict(self.client.refresh_token(self.endpoint("token"), token["refresh_token"], resource=self.resource))
        for name in ("access_token", "refresh_token"):
            expect(fresh[name] != token[name], f"the {name} is still the same")
        return fresh

    def revoke(self, token, hint):
        answer = self.client.revoke_token(self.endpoint("revocation"), token, hint)
        expect_equal("the status of the revocation", answer.status_code, 200)

    def expect_error(self, wanted, attempt):
        try:
            attempt()
        except OAuthError as error:
            expect_equal("error", error.error, wanted)
            expect_equal("the status of the error", self.peer.wire.tail(1)[0].status, 400)
        else:
            expect(False, f"it worked, without {wanted}")

    def expect_code_guarded(self):
        answer, verifier = self.authorize()
        self.expect_error("invalid_grant", lambda: self.exchange(answer, secrets.token_urlsafe(48)))
        token = self.exchange(answer, verifier)
        self.expect_error("invalid_grant", lambda: self.exchange(answer, verifier))
        self.peer.expect_refused(token["access_token"])


if __name__ == "__main__":
    server = sys.argv[1].rstrip("/")
    if is_loopback(server):
        # Authlib wants https everywhere else.
        os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    Peer(server).run()
