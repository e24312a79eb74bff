"""The server scenarios of MCP's conformance suite, at both revisions of the protocol.

usage: mcp_conformance.py MODE URL NODE SUITE_JS

MODE is `real` for a server as it is shipped: it lacks the tools, prompts and resources that many scenarios call for by
name, and exactly these are listed in baseline-REVISION.yml. It is `fixture` for a server that has them: nothing may fail.
"""

import asyncio
import json
import re
import signal
import ssl
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from browser import Person, origin
from checks import Checks, Wire, expect, expect_equal
from oauth import bearer_token

HERE = Path(__file__).parent
REVISIONS = ("2025-11-25", "2026-07-28")
# How checks end, but for those that only tell something or were left out.
COUNTED = ("SUCCESS", "FAILURE", "WARNING")
# What the suite's last words begin with.
VERDICTS = ("Stale baseline entries", "Unexpected failures")


class BearerProxy:
    """Adds a token to every request, because the suite cannot. One request a connection, so that only heads are read.

    Host and Origin say the server's where they would say this proxy's. Others pass: scenarios lie in them on purpose.
    """

    def __init__(self, url, token):
        self.target, self.token = urlsplit(url), token
        self.own = None

    @asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.own = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        try:
            yield f"http://{self.own}{self.target.path}"
        finally:
            server.close()

    async def serve(self, reader, writer):
        target = self.target
        secure = ssl.create_default_context() if target.scheme == "https" else None
        port = target.port or (443 if secure else 80)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            upstream, upwards = await asyncio.open_connection(target.hostname, port, ssl=secure)
            upwards.write(self.rewritten(head.decode("latin-1")).encode("latin-1"))
            # Whichever side goes away takes the other along: a client that hangs up cancels its request.
            ways = [asyncio.create_task(pass_on(reader, upwards)), asyncio.create_task(pass_on(upstream, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            upwards.close()
        writer.close()

    def rewritten(self, head):
        request, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        kept = []
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if name == "host" and value == self.own:
                line = f"Host: {self.target.netloc}"
            elif name == "origin" and value == f"http://{self.own}":
                line = f"Origin: {origin(self.target.geturl())}"
            if name not in ("connection", "keep-alive", "authorization"):
                kept.append(line)
        return "\r\n".join([request, *kept, f"Authorization: Bearer {self.token}", "Connection: close"]) + "\r\n\r\n"


async def pass_on(reader, writer):
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


class Peer:
    def __init__(self, mode, url, node, suite):
        self.mode, self.url = mode, url
        self.suite, self.command = Path(suite), [node, suite, "server"]
        self.wire = Wire()
        self.checks = Checks(f"conformance suite, {mode}", self.wire)

    async def run(self):
        with self.checks.flow():
            with self.checks.check("a person signs up and lets the suite in"):
                person = Person(self.url, self.wire)
                person.sign_up()
                token = bearer_token(self.url, person, self.wire, "Peer conformance suite")
            # Nothing that HTTP did before explains what a scenario says.
            self.wire.exchanges.clear()
            async with BearerProxy(f"{self.url}/mcp", token).listening() as endpoint:
                for revision in REVISIONS:
                    with self.checks.flow(), self.checks.check(f"everything that {revision} requires{self.exceptions()}"):
                        await self.run_revision(revision, endpoint)
        self.checks.finish()

    def exceptions(self):
        return ", but for what needs fixtures" if self.mode == "real" else ""

    async def run_revision(self, revision, endpoint):
        with tempfile.TemporaryDirectory() as results:
            command = [*self.command, "--url", endpoint, "--requirements", revision, "-o", results]
            if self.mode == "real":
                command += ["--expected-failures", str(HERE / f"baseline-{revision}.yml")]
            pipe = asyncio.subprocess.PIPE
            suite = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
            try:
                said = re.sub(r"\x1b\[[0-9;]*m", "", (await suite.stdout.read()).decode("utf-8", "replace"))
                status = await suite.wait()
            finally:
                with suppress(ProcessLookupError):
                    suite.kill()
            required, others = self.read(Path(results), revision)
        for what, found in (("required", required), ("not scored", others)):
            passed = sum(check["status"] == "SUCCESS" for _, check in found)
            self.checks.note(f"{revision}, {what}: {passed} of {len(found)} checks passed, in {len({name for name, _ in found})} scenarios")
        if status != 0 or self.mode == "fixture":
            self.complain(required, said)
        expect(required, f"the suite checked nothing; it said:\n{said[-2_000:]}")
        expect_equal("the status that the suite ended with", status, 0)

    def read(self, results, revision):
        """The checks with their scenarios: those that the revision requires, and those that are run beside them."""
        requirements = (self.suite.parent.parent / "requirements" / f"{revision}.yaml").read_text()
        not_scored = set(re.findall(r"^  - scenario: (\S+)\n    leg: server$", requirements, re.MULTILINE))
        required, others = [], []
        for file in sorted(results.rglob("checks.json")):
            scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT[\d-]+Z$", "", file.parent.name)
            checks = [(scenario, check) for check in json.loads(file.read_text()) if check["status"] in COUNTED]
            (others if scenario in not_scored else required).extend(checks)
        return required, others

    def complain(self, required, said):
        """What the suite had not expected, with its reasons."""
        starts = [said.find(f"\n{heading}") for heading in VERDICTS]
        # Without a verdict it did not come to its end, and its last words say why.
        start = min((start for start in starts if start >= 0), default=-2_000)
        verdict = said[start:].strip().splitlines()
        named = re.findall(r"^  [✗✓] (\S+)", "\n".join(verdict), re.MULTILINE)
        for scenario, check in required:
            one = f"{scenario}:{check['id']}"
            if check["status"] != "SUCCESS" and (self.mode == "fixture" or {scenario, one} & set(named)):
                print(f"      | {check['status']} {one}: {check.get('errorMessage', '')[:300]}")
        if self.mode == "real":
            print("".join(f"      | {line}\n" for line in verdict), end="")


if __name__ == "__main__":
    # Each scenario has its own time, but together they must not take for ever.
    signal.alarm(600)
    mode, url, node, suite_js = sys.argv[1:]
    expect(mode in ("real", "fixture"), f"there is no mode {mode}")
    asyncio.run(Peer(mode, url.rstrip("/"), node, suite_js).run())
