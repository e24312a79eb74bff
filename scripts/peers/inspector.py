"""The MCP Inspector's command line: with a token in a header, and signing in by itself. usage: inspector.py URL NODE INSPECTOR_JS"""

import json
import os
import pty
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import httpx2

from browser import Person
from checks import Checks, Wire, expect, expect_equal
from conformance import free_port
from oauth import SCOPE, bearer_token, parameters_of

ERAS = {"modern": "2026-07-28", "legacy": "2025-11-25"}
# Its exit status for schemas with faults; for slips it is 0.
UNPORTABLE = 6


class Inspector:
    """Runs its command line, with a home of its own.

    Its configuration names the scope to begin with. Without one it would take up what the server asks for, but then it
    cannot ask for more later: it refreshes instead, and gives up.
    """

    def __init__(self, url, node, program, home):
        server = {"type": "streamable-http", "url": f"{url}/mcp", "oauth": {"scopes": "memories:read"}}
        config = Path(home, "mcp.json")
        config.write_text(json.dumps({"mcpServers": {"picard": server}}))
        self.command = [node, program, "--cli", "--config", str(config), "--server", "picard", "--format", "json"]
        self.environment = {
            **os.environ,
            "HOME": home,
            "NO_COLOR": "1",
            "MCP_AUTO_OPEN_ENABLED": "false",
            "MCP_INSPECTOR_SECRET_STORE": "file",
        }

    def ask(self, method, *options, allowed=(0,)):
        """Returns the result, and what was said beside it."""
        command = [*self.command, "--method", method, *options]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, stdin=subprocess.DEVNULL, timeout=60)
        expect(done.returncode in allowed, f"{method} ended with {done.returncode}: {done.stderr[-1_000:]}")
        return json.loads(done.stdout)["result"], done.stderr

    def ask_signing_in(self, browse, method, *options):
        """The same for somebody who sits in front of it: it wants a terminal before it sends anybody to a browser."""
        ours, theirs = pty.openpty()
        command = [*self.command, "--method", method, *options]
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(command, stdin=theirs, stdout=output, stderr=theirs, env=self.environment)
            os.close(theirs)
            try:
                said = self._answer(ours, browse)
                status = process.wait(timeout=60)
            finally:
                process.kill()
                process.wait()
                os.close(ours)
            output.seek(0)
            answer = output.read()
        expect(status == 0, f"{method} ended with {status}: {said[-1_000:]}")
        return json.loads(answer)["result"]

    @staticmethod
    def _answer(terminal, browse):
        said = seen = ""
        # The terminal's end is an error.
        with suppress(OSError):
            while data := os.read(terminal, 65_536):
                seen += data.decode("utf-8", "replace")
                said += data.decode("utf-8", "replace")
                if found := re.search(r"Please navigate to: (\S+)\r?\n", seen):
                    seen = seen[found.end() :]
                    browse(found.group(1))
                if "[y/N] " in seen:
                    seen = ""
                    os.write(terminal, b"y\n")
        return said


class Peer:
    def __init__(self, url, inspector, version):
        self.url, self.inspector, self.wire = url, inspector, Wire()
        self.checks = Checks(f"MCP Inspector {version}", self.wire)
        self.person = Person(url, self.wire)
        self.asked, self.callback = [], f"http://127.0.0.1:{free_port()}/oauth/callback"

    def run(self):
        with self.checks.flow():
            with self.checks.check("a person signs up"):
                self.person.sign_up()
            with self.checks.check("a token for the header"):
                self.bearer = bearer_token(self.url, self.person, self.wire, "Peer MCP Inspector")
            # What the person's browser did explains nothing that the Inspector does after.
            self.wire.exchanges.clear()
            for era in ERAS:
                self.use_header(era)
            with self.checks.flow():
                self.sign_in()
        self.checks.finish()

    def use_header(self, era):
        header = ["--protocol-era", era, "--header", f"Authorization: Bearer {self.bearer}"]

        def ask(method, *options, **more):
            return self.inspector.ask(method, *options, *header, **more)

        def check(what):
            return self.checks.check(f"{ERAS[era]}: {what}")

        with self.checks.flow():
            with check("connects"):
                told, _ = ask("initialize")
                expect_equal("the protocol version", told["protocolVersion"], ERAS[era])
            with self.checks.flow(), check("finds nothing wrong with the tools' schemas (--strict)"):
                self.expect_portable(*ask("tools/list", "--strict", allowed=(0, UNPORTABLE)))
            with check("calls tools"):
                text = f"An Inspector keeps {secrets.token_hex(4)} in a tin."
                arguments = json.dumps({"text": text})
                memory = ask("tools/call", "--tool-name", "submit_memory", "--tool-args-json", arguments)[0]["structuredContent"]
                found, _ = ask("tools/call", "--tool-name", "query_memory", "--tool-arg", "query=What is in the tin?")
                expect(memory["id"] in json.dumps(found["structuredContent"]), f"the answer is {found}")
            with check("lists and reads resources"):
                uri = f"memories://{memory['id']}"
                expect(uri in json.dumps(ask("resources/list")[0]), f"{uri} is not listed")
                expect(text in json.dumps(ask("resources/read", "--uri", uri)[0]), f"{uri} does not have the text")
                expect("memories://{memory_id}" in json.dumps(ask("resources/templates/list")[0]), "a template is missing")
            if "prompts" in told["capabilities"]:
                with check("lists prompts and gets one"):
                    prompts = [prompt["name"] for prompt in ask("prompts/list")[0]["prompts"]]
                    expect({"recall", "remember"} <= set(prompts), f"the prompts are {prompts}")
                    prompt, _ = ask("prompts/get", "--prompt-name", "recall", "--prompt-args", "topic=tin")
                    expect(text in json.dumps(prompt), f"the prompt is {prompt}")
            else:
                self.checks.note(f"{ERAS[era]}: the server does not announce prompts")

    def expect_portable(self, result, said):
        expect(len(result["tools"]) > 1, f"the tools are {result}")
        found = re.findall(r"^(?:Error|Warning): tool \"(\w+)\"\n  Path: (\S+)\n  Issue: (.{60})", said, re.MULTILINE)
        # One of each kind says enough.
        examples = {issue: f"{tool} {path}: {issue}…" for tool, path, issue in found}
        expect(not found, f"{said.strip().splitlines()[-1]} Such as {'; '.join(examples.values())}" if found else "")

    def sign_in(self):
        own = ["--callback-url", self.callback]
        call = ["--tool-name", "submit_memory", "--tool-arg", "text=An Inspector signed in."]
        with self.checks.check("signs in: discovery, registration, consent"):
            result = self.inspector.ask_signing_in(self.browse, "tools/list", *own)
            expect(result["tools"], f"the tools are {result}")
            expect_equal("the number of authorizations", len(self.asked), 1)
            for name, wanted in (("code_challenge_method", "S256"), ("resource", f"{self.url}/mcp"), ("scope", "memories:read")):
                expect_equal(f"the Inspector's {name}", self.asked[0].get(name), wanted)
        with self.checks.check("gets memories:write when a tool asks for it"):
            result = self.inspector.ask_signing_in(self.browse, "tools/call", *call, *own)
            expect(result["structuredContent"].get("id"), f"the answer is {result}")
            expect_equal("the number of authorizations", len(self.asked), 2)
            expect_equal("the Inspector's scope", set(self.asked[1]["scope"].split()), set(SCOPE.split()))
        with self.checks.check("goes on with what it stored, without a person"):
            self.inspector.ask("tools/call", *call, *own, "--stored-auth-only")
        with self.checks.check("refreshes its token"):
            self.spoil_token()
            self.inspector.ask("tools/call", *call, *own, "--stored-auth-only")

    def browse(self, url):
        """The person's browser."""
        self.asked.append(parameters_of(url))
        httpx2.get(self.person.authorize(url, self.callback)).raise_for_status()

    def spoil_token(self):
        """As if the access token had expired: the server says that it is none."""
        home = Path(self.inspector.environment["HOME"])
        files = [file for file in home.rglob("*.json") if "access_token" in file.read_text()]
        expect(files, "it stored no token")
        for file in files:
            file.write_text(re.sub(r'(access_token\\?":\s*\\?")[^"\\]+', r"\g<1>expired", file.read_text()))


if __name__ == "__main__":
    # A program that waits for an answer that never comes must not wait for ever.
    signal.alarm(300)
    url, node, program = sys.argv[1:]
    version = json.loads((Path(program).parents[3] / "package.json").read_text())["version"]
    with tempfile.TemporaryDirectory() as home:
        url = url.rstrip("/")
        Peer(url, Inspector(url, node, program, home), version).run()
