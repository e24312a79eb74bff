"""The official TypeScript client, of version 2 or 1. It runs in Node and does what it is told here; see ts/peer.mjs.

usage: ts_client.py LINE URL NODE PACKAGES, where LINE is 1 or 2, and PACKAGES the folder with node_modules
"""

import json
import secrets
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

from browser import Person
from checks import Checks, Exchange, Failed, Wire, expect, expect_equal
from oauth import SCOPE, challenge_of, parameters_of, with_scope

HERE = Path(__file__).parent
PACKAGE = {"1": "@modelcontextprotocol/sdk", "2": "@modelcontextprotocol/client"}
ERAS = {"1": ["2025-11-25"], "2": ["2026-07-28", "2025-11-25"]}


class Refused(Exception):
    """The client says that it failed."""

    def __init__(self, told):
        super().__init__(f"{told['name']} {told['code'] if told['code'] is not None else ''}: {told['message']}")
        self.code = told["code"]


class Heard(Exchange):
    """An exchange that the client reports."""

    def __init__(self, told):
        self.__dict__.update(told, path=urlsplit(told["url"]).path)


class Client:
    """The client's process: orders go in, and what it asks meanwhile is answered."""

    def __init__(self, command, wire, browse):
        self.wire, self.browse, self.notified = wire, browse, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def order(self, order, parameters=None):
        self._say({"order": order, "parameters": parameters})
        for line in self.process.stdout:
            told = json.loads(line)
            if "http" in told:
                self.wire.exchanges.append(Heard(told["http"]))
            elif "notified" in told:
                self.notified.append(told["notified"])
            elif "authorize" in told:
                self._say({"answer": self.browse(told["authorize"], told["redirect_uri"])})
            elif "failed" in told:
                raise Refused(told["failed"])
            else:
                return told["done"]
        raise Failed("the client ended by itself")

    def _say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()


class Flow:
    """One client, from its first call to the end."""

    def __init__(self, url, line, era, person, wire, checks, command):
        self.url, self.endpoint, self.line, self.era = url, f"{url}/mcp", line, era
        self.person, self.wire, self.checks, self.command = person, wire, checks, command
        self.asked, self.capabilities, self.memory = [], {}, None

    @contextmanager
    def check(self, what):
        with self.checks.check(f"{self.era}: {what}"):
            yield

    def browse(self, url, redirect_uri):
        """The person's browser. The first time it asks for reading alone, whatever the client would have asked for."""
        self.asked.append(parse_qs(urlsplit(url).query))
        if len(self.asked) == 1:
            self.checks.note(f"{self.era}: it asks for {' '.join(self.asked[0].get('scope', ['nothing']))} at first")
            url = with_scope(url, "memories:read")
        answer = self.person.authorize(url, redirect_uri)
        expect_equal("iss", parameters_of(answer).get("iss"), self.url)
        return answer

    def run(self):
        self.wire.exchanges.clear()
        with self.checks.flow(), Client(self.command, self.wire, self.browse) as client:
            self.order, self.notified = client.order, client.notified
            with self.check("connects"):
                told = self.order("connect", {"era": self.era})
                self.capabilities = told["capabilities"]
                expect_equal("the protocol version", told["version"], self.era)
            with self.check("found everything by the challenge, registered and got a token"):
                self.expect_discovery()
            with self.check("lists the tools"):
                names = {tool["name"] for tool in self.order("listTools")["tools"]}
                expect({"submit_memory", "query_memory"} <= names, f"the tools are {names}")
            with self.check(f"gets memories:write when {'a tool' if self.line == '2' else 'its host'} asks for it"):
                self.step_up()
            with self.check("finds what it wrote"):
                self.search()
            self.use_the_rest()
            with self.check("refreshes its token"):
                self.refresh()
            with self.check("ends its session"):
                self.order("close")

    def use_the_rest(self):
        with self.checks.flow(), self.check("lists and reads resources"):
            self.read_resources()
        if self.capabilities.get("resources", {}).get("subscribe"):
            with self.checks.flow(), self.check("hears of a change"):
                self.hear()
        else:
            self.checks.note(f"{self.era}: the server does not announce subscriptions")
        for capability, what, use in (
            ("prompts", "lists prompts and gets one", self.use_prompts),
            ("completions", "completes arguments", self.complete),
        ):
            if capability in self.capabilities:
                with self.checks.flow(), self.check(what):
                    use()
            else:
                self.checks.note(f"{self.era}: the server does not announce {capability}")

    def expect_discovery(self):
        exchanges = self.wire.exchanges
        expect_equal("the status of the first call", exchanges[0].status, 401)
        challenge = challenge_of(exchanges[0])
        expect("error" not in challenge, "the challenge names an error though no token was sent")
        resource = self.fetched(challenge.get("resource_metadata"))
        expect_equal("resource", resource["resource"], self.endpoint)
        metadata = self.fetched(f"{self.url}/.well-known/oauth-authorization-server")
        registered = [one for one in exchanges if one.url == metadata["registration_endpoint"]]
        expect_equal("the statuses of registrations", [one.status for one in registered], [201])
        for name, wanted in (("code_challenge_method", ["S256"]), ("resource", [self.endpoint])):
            expect_equal(f"the client's {name}", self.asked[0].get(name), wanted)
        expect_equal("the number of authorizations", len(self.asked), 1)
        token = self.tokens_since(0)
        expect_equal("the statuses of the token endpoint", [one.status for one in token], [200])
        expect_equal("the resource at the token endpoint", parse_qs(token[0].sent).get("resource"), [self.endpoint])
        expect_equal("the scope", self.kept()["scope"], "memories:read")

    def fetched(self, url):
        found = next((one for one in self.wire.exchanges if one.url == url and one.status == 200), None)
        expect(found, f"the client did not get {url}")
        return json.loads(found.body)

    def tokens_since(self, start):
        return [one for one in self.wire.exchanges[start:] if one.method == "POST" and one.path == "/token"]

    def kept(self):
        return self.order("kept")["tokens"]

    def call(self, tool, arguments):
        """The client itself checks structured content against the tool's output schema."""
        result = self.order("callTool", {"name": tool, "arguments": arguments})
        expect(not result.get("isError"), f"{tool} answered {result}")
        return result["structuredContent"]

    def step_up(self):
        start, text = len(self.wire.exchanges), f"A peer keeps {secrets.token_hex(4)} under the tea pot."
        write = lambda: self.call("submit_memory", {"text": text, "tags": ["peer-ts"]})  # noqa: E731
        if self.line == "1":
            # Version 1 refreshes, which cannot widen a scope, and gives up: its host has to ask the person for more.
            expect_equal("the code of its error", refused(write).code, 403)
            self.order("signIn", {"scope": SCOPE})
        self.memory = SimpleNamespace(text=text, **{key: value for key, value in write().items() if key != "text"})
        challenges = [challenge_of(one) for one in self.wire.exchanges[start:] if one.status == 403]
        expect(challenges, "nothing was refused")
        for challenge in challenges:
            expect_equal("the challenge's error", challenge.get("error"), "insufficient_scope")
            expect("memories:write" in challenge.get("scope", "").split(), f"the challenge is {challenge}")
        expect("memories:write" in self.kept()["scope"].split(), f"the scope is {self.kept()['scope']}")
        expect_equal("the number of authorizations", len(self.asked), 2)

    def search(self):
        found = self.call("query_memory", {"query": "What is under the tea pot?"})
        expect(self.memory.id in [memory["id"] for memory in found["memories"]], f"the answer is {found}")

    def read_resources(self):
        uri = f"memories://{self.memory.id}"
        listed = [resource["uri"] for resource in self.order("listResources")["resources"]]
        expect(uri in listed, f"the resources are {listed}")
        templates = [template["uriTemplate"] for template in self.order("listResourceTemplates")["resourceTemplates"]]
        expect("memories://{memory_id}" in templates, f"the templates are {templates}")
        contents = self.order("readResource", {"uri": uri})["contents"]
        expect(self.memory.text in contents[0]["text"], f"the contents are {contents}")

    def hear(self):
        uri = f"memories://{self.memory.id}"
        if self.era == "2026-07-28":
            granted = self.order("listen", {"resourceSubscriptions": [uri, f"memories://{uuid.uuid4()}"]})
            expect_equal("what it may hear of", granted, {"resourceSubscriptions": [uri]})
        else:
            self.order("subscribeResource", {"uri": uri})
        self.call("update_memory", {"memory_id": self.memory.id, "tags": ["peer-ts", "peer-heard"]})
        told = {"method": "notifications/resources/updated", "uri": uri}
        until = time.monotonic() + 5
        while told not in [{"method": one["method"], "uri": one.get("params", {}).get("uri")} for one in self.notified]:
            expect(time.monotonic() < until, f"it heard only {self.notified}")
            time.sleep(0.1)
            # Any order will do: what was heard meanwhile comes before its answer.
            self.order("kept")

    def use_prompts(self):
        prompts = {prompt["name"]: prompt for prompt in self.order("listPrompts")["prompts"]}
        expect({"recall", "remember"} <= set(prompts), f"the prompts are {sorted(prompts)}")
        result = self.order("getPrompt", {"name": "recall", "arguments": {"topic": "tea pot"}})
        expect(self.memory.text in json.dumps(result["messages"]), f"the prompt is {result}")
        error = refused(lambda: self.order("getPrompt", {"name": "recall", "arguments": {}}))
        expect_equal("the code for a prompt that lacks its argument", error.code, -32602)

    def complete(self):
        prompt = {"ref": {"type": "ref/prompt", "name": "recall"}, "argument": {"name": "topic", "value": "peer-"}}
        template = {
            "ref": {"type": "ref/resource", "uri": "memories://{memory_id}"},
            "argument": {"name": "memory_id", "value": self.memory.id[:6]},
        }
        for request, wanted in ((prompt, "peer-ts"), (template, self.memory.id)):
            values = self.order("complete", request)["completion"]["values"]
            expect(wanted in values, f"{request['argument']} is completed with {values}")

    def refresh(self):
        start, asked, before = len(self.wire.exchanges), len(self.asked), self.kept()
        # The client does not watch the clock: it refreshes when it is told that a token is none.
        self.order("keep", {"tokens": {**before, "access_token": "expired"}})
        self.search()
        refused = next(one for one in self.wire.exchanges[start:] if one.status == 401)
        expect_equal("the challenge's error", challenge_of(refused).get("error"), "invalid_token")
        grants = [(parse_qs(one.sent).get("grant_type"), one.status) for one in self.tokens_since(start)]
        expect_equal("what the token endpoint was asked", grants, [(["refresh_token"], 200)])
        expect_equal("the number of authorizations", len(self.asked), asked)
        after = self.kept()
        for name in ("access_token", "refresh_token"):
            expect(after[name] != before[name], f"the {name} is still the same")


def refused(work):
    try:
        result = work()
    except Refused as error:
        return error
    raise Failed(f"it was not refused, the answer is {result}")


def main(line, url, node, packages):
    version = json.loads((Path(packages) / "node_modules" / PACKAGE[line] / "package.json").read_text())["version"]
    wire = Wire()
    checks = Checks(f"TypeScript {version}", wire)
    person = Person(url, wire)
    with checks.flow():
        with checks.check("a person signs up"):
            person.sign_up()
        for era in ERAS[line]:
            command = [node, str(HERE / "ts" / f"client{line}.mjs"), f"{url}/mcp", packages]
            Flow(url, line, era, person, wire, checks, command).run()
    checks.finish()


if __name__ == "__main__":
    # A client that waits for an answer that never comes must not wait for ever.
    signal.alarm(300)
    line, url, node, packages = sys.argv[1:]
    main(line, url.rstrip("/"), node, packages)
