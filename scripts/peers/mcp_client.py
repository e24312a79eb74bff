"""The official Python MCP client, of version 2 or 1, whichever is installed. usage: mcp_client.py URL"""

import importlib.metadata
import json
import logging
import signal
import sys
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import anyio
import jsonschema
import mcp
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from browser import Person
from checks import Checks, Wire, expect, expect_equal
from oauth import challenge_of, with_scope

VERSION = importlib.metadata.version("mcp")
IS_2 = not VERSION.startswith("1.")
if IS_2:
    import httpx2 as http
    from mcp.shared.auth import AuthorizationCodeResult
else:
    import httpx as http

REDIRECT_URI = "http://127.0.0.1:53683/callback"
# How the client speaks MCP, and how it asks to authenticate; None is what it does by itself.
KINDS = [("2026-07-28", None), ("2025-11-25", "none")] if IS_2 else [("2025-11-25", None), ("2025-11-25", "none")]


class Storage:
    """Where the client keeps its tokens and its registration."""

    def __init__(self):
        self.tokens = self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Flow:
    """One client, from its first call to the end. `era` is how it speaks MCP, `method` how it asks to be registered."""

    def __init__(self, url, person, wire, checks, era, method):
        self.url, self.endpoint, self.era, self.method = url, f"{url}/mcp", era, method
        self.person, self.wire, self.checks = person, wire, checks
        self.storage, self.asked, self.answered, self.trouble = Storage(), [], None, None
        self.doing, self.spoken = "connects", None
        registration = {
            "client_name": f"Peer mcp {VERSION}",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        }
        if method:
            registration["token_endpoint_auth_method"] = method
        self.provider = OAuthClientProvider(
            server_url=self.endpoint,
            client_metadata=OAuthClientMetadata(**registration),
            storage=self.storage,
            redirect_handler=self.redirect,
            callback_handler=self.callback,
        )

    @contextmanager
    def check(self, what):
        self.doing = what
        with self.checks.check(f"{self.era}, {self.method or 'default'} authentication: {what}"):
            try:
                yield
            except Exception as error:
                # The client may have swallowed what really happened.
                raise self.trouble or error from error

    async def redirect(self, url):
        """The person's browser. The first time it asks for reading alone, whatever the client would have asked for."""
        self.asked.append(parse_qs(urlsplit(url).query))
        if len(self.asked) == 1:
            url = with_scope(url, "memories:read")
        try:
            self.answered = await anyio.to_thread.run_sync(self.person.authorize, url, REDIRECT_URI)
        except Exception as error:
            self.trouble = error
            raise

    async def callback(self):
        try:
            return self.read_answer()
        except Exception as error:
            self.trouble = error
            raise

    def read_answer(self):
        parameters = {name: values[0] for name, values in parse_qs(urlsplit(self.answered).query).items()}
        expect("error" not in parameters, f"the authorization endpoint answered {self.answered}")
        # Version 2 compares the issuer itself, version 1 does not look at it.
        expect_equal("iss", parameters.get("iss"), self.url)
        if IS_2:
            return AuthorizationCodeResult(code=parameters["code"], state=parameters.get("state"), iss=parameters["iss"])
        return parameters["code"], parameters.get("state")

    @asynccontextmanager
    async def session(self):
        timeout = http.Timeout(30, read=60)
        async with http.AsyncClient(auth=self.provider, event_hooks=self.wire.async_hooks(), timeout=timeout) as client:
            transport = streamable_http_client(self.endpoint, http_client=client)
            if IS_2:
                mode = "auto" if self.era == "2026-07-28" else "legacy"
                async with mcp.Client(transport, mode=mode, cache=None, read_timeout_seconds=60) as session:
                    self.spoken = session.protocol_version
                    yield session
            else:
                async with (
                    transport as (read, write, _),
                    mcp.ClientSession(read, write, read_timeout_seconds=timedelta(seconds=60)) as session,
                ):
                    self.spoken = (await session.initialize()).protocolVersion
                    yield session

    async def run(self):
        self.wire.exchanges.clear()
        failed = self.checks.failed
        try:
            async with self.session() as session:
                with self.checks.flow():
                    await self.use(session)
        except Exception as error:
            # What goes wrong in the client's own tasks ends the session and comes out here.
            if self.checks.failed == failed:
                with self.checks.flow(), self.check(self.doing):
                    raise error

    async def use(self, session):
        with self.check("connects"):
            expect_equal("the protocol version", self.spoken, self.era)
        with self.check("found everything by the challenge, registered and got a token"):
            self.expect_discovery()
        with self.check("lists the tools"):
            names = [tool.name for tool in (await session.list_tools()).tools]
            expect({"submit_memory", "retrieve_memories"} <= set(names), f"the tools are {names}")
        with self.check("gets memories:write when a tool asks for it"):
            await self.step_up(session)
        with self.check("goes on reading"):
            asked = len(self.asked)
            await self.call(session, "retrieve_memories", {})
        if len(self.asked) > asked:
            self.checks.note(f"{self.era}: to read again, the client had to ask the person a third time")
        with self.check("refreshes its token"):
            await self.refresh(session)
        with self.check("finds every answer as its schema says"):
            await self.use_every_tool(session)
        self.doing = "ends its session"

    def expect_discovery(self):
        exchanges = self.wire.exchanges
        first = exchanges[0]
        expect_equal("the status of the first call", first.status, 401)
        challenge = challenge_of(first)
        expect("error" not in challenge, "the challenge names an error though no token was sent")
        resource = self.fetched(challenge.get("resource_metadata"))
        expect_equal("resource", resource["resource"], self.endpoint)
        expect_equal("authorization_servers", resource["authorization_servers"], [self.url])
        metadata = self.fetched(f"{self.url}/.well-known/oauth-authorization-server")
        registered = [one for one in exchanges if one.url == metadata["registration_endpoint"]]
        expect_equal("the statuses of registrations", [one.status for one in registered], [201])
        for name, wanted in (("code_challenge_method", ["S256"]), ("resource", [self.endpoint])):
            expect_equal(f"the client's {name}", self.asked[0].get(name), wanted)
        expect_equal("the number of authorizations", len(self.asked), 1)
        token = self.tokens_since(0)
        expect_equal("the statuses of the token endpoint", [one.status for one in token], [200])
        expect_equal("the resource at the token endpoint", parse_qs(token[0].sent).get("resource"), [self.endpoint])
        expect_equal("the scope", self.storage.tokens.scope, "memories:read")

    def fetched(self, url):
        found = next((one for one in self.wire.exchanges if one.url == url and one.status == 200), None)
        expect(found, f"the client did not get {url}")
        return json.loads(found.body)

    def tokens_since(self, start):
        return [one for one in self.wire.exchanges[start:] if one.method == "POST" and one.path == "/token"]

    async def call(self, session, tool, arguments):
        result = await session.call_tool(tool, arguments)
        expect(not (result.is_error if IS_2 else result.isError), f"{tool} answered {result}")
        return result.structured_content if IS_2 else result.structuredContent

    async def use_every_tool(self, session):
        """What a tool answers, well or badly, has the form that the list promises."""
        schemas = {tool.name: tool.output_schema if IS_2 else tool.outputSchema for tool in (await session.list_tools()).tools}
        used = set()

        async def use(tool, **arguments):
            used.add(tool)
            result = await session.call_tool(tool, arguments)
            answer = result.structured_content if IS_2 else result.structuredContent
            expect(schemas[tool] and answer is not None, f"{tool} has no schema or no structured answer")
            jsonschema.validate(answer, schemas[tool])
            return answer

        memory = (await use("submit_memory", text="One for every tool.", tags=["peer"], category="facts"))["id"]
        await use("submit_memories", memories=[{"text": "Two."}, {"text": " "}], on_error="continue")
        await use("update_memory", memory_id=memory, text="Once more for every tool.")
        await use("modify_permissions", memory_id=memory, permission="private")
        await use("get_memory", memory_id=memory)
        await use("get_memories", tags=["peer"], limit=2)
        await use("retrieve_memories")
        await use("query_memory", query="every tool")
        await use("aggregate_memories", tags=["peer"])
        await use("memory_history", memory_id=memory)
        await use("restore_memory", memory_id=memory, version=1)
        persona = (await use("create_persona", name="A peer's", tags=["peer"]))["id"]
        await use("update_persona", persona_id=persona, temperature=0.5)
        await use("list_personas", limit=1)
        await use("query_user", persona_id=persona, prompt="every tool")
        await use("query_user", persona_id=persona, prompt="zyzzyva", include_memories=False)
        await use("delete_persona", persona_id=persona)
        await use("delete_memory", memory_id=memory)
        expect_equal("the tools that were used", used, set(schemas))
        # What is refused has a form as well.
        await use("get_memory", memory_id=memory)
        await use("update_memory", memory_id="x")
        await use("query_user", prompt="nobody")

    async def step_up(self, session):
        start = len(self.wire.exchanges)
        memory = await self.call(session, "submit_memory", {"text": f"A peer, mcp {VERSION}, was here."})
        expect(memory and memory.get("id"), f"the answer is {memory}")
        refused = [one for one in self.wire.exchanges[start:] if one.status == 403]
        expect_equal("the number of refusals", len(refused), 1)
        challenge = challenge_of(refused[0])
        expect_equal("the challenge's error", challenge.get("error"), "insufficient_scope")
        expect("memories:write" in challenge.get("scope", "").split(), f"the challenge is {challenge}")
        expect_equal("the number of authorizations", len(self.asked), 2)
        expect("memories:write" in self.storage.tokens.scope.split(), f"the scope is {self.storage.tokens.scope}")

    async def refresh(self, session):
        start, asked, before = len(self.wire.exchanges), len(self.asked), self.storage.tokens
        self.provider.context.token_expiry_time = 1.0
        await self.call(session, "retrieve_memories", {})
        grants = [(parse_qs(one.sent).get("grant_type"), one.status) for one in self.tokens_since(start)]
        expect_equal("what the token endpoint was asked", grants, [(["refresh_token"], 200)])
        expect_equal("the number of authorizations", len(self.asked), asked)
        for name in ("access_token", "refresh_token"):
            expect(getattr(self.storage.tokens, name) != getattr(before, name), f"the {name} is still the same")


async def main(url):
    wire = Wire()
    checks = Checks(f"mcp {VERSION}", wire)
    person = Person(url, wire)
    with checks.flow():
        with checks.check("a person signs up"):
            person.sign_up()
        for era, method in KINDS:
            await Flow(url, person, wire, checks, era, method).run()
    checks.finish()


if __name__ == "__main__":
    # A client that waits for an answer that never comes must not wait for ever.
    signal.alarm(300)
    # Its tracebacks say less than the checks.
    logging.disable()
    anyio.run(main, sys.argv[1].rstrip("/"))
