"""The authorization server scenarios of MCP's conformance suite, with a scripted person where the suite waits for one.

usage: conformance.py URL ADMIN_USERNAME ADMIN_PASSWORD NODE SUITE_JS
"""

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import httpx2

from browser import Person
from checks import Checks, Wire, expect, expect_equal

SCENARIOS = {"authorization-server-metadata-endpoint", "authorization-code-grant"}
CHECKS = {"authorization-server-metadata", "authorization-server-metadata-cimd", "authorization-code-grant"}


class Peer:
    def __init__(self, url, admin, node, suite):
        self.url, self.admin, self.command = url, admin, [node, suite]
        self.wire = Wire()
        self.checks = Checks("conformance suite", self.wire)
        self.http = httpx2.Client(event_hooks=self.wire.hooks(), timeout=30)
        self.person = Person(url, self.wire)
        self.totals = Counter()

    def run(self):
        with self.checks.flow():
            with self.checks.check("the suite has the scenarios that are known here"):
                self.expect_known()
            with self.checks.check("a person signs up"):
                self.person.sign_up()
            # The suite authenticates no client as long as the server supports the method none, so both are public ones.
            for kind, register, options in (
                ("a client of the administrator's, with resource", self.by_administrator, ["--resource", f"{self.url}/mcp"]),
                ("a client that registered itself, without resource", self.by_itself, []),
            ):
                with self.checks.flow(), self.checks.check(kind):
                    self.run_scenarios(register, options)
        self.checks.note("the suite's own checks: " + (", ".join(f"{n} {it}" for it, n in sorted(self.totals.items())) or "none"))
        self.checks.finish()

    def expect_known(self):
        listed = subprocess.run([*self.command, "list", "--authorization"], capture_output=True, text=True, check=True).stdout
        expect_equal("the list", set(re.findall(r"^  - (\S+)", listed, re.MULTILINE)), SCENARIOS)

    def by_administrator(self, redirect_uri):
        basic = base64.b64encode(":".join(self.admin).encode()).decode()
        wanted = {
            "client_name": "Peer conformance suite",
            "redirect_uris": [redirect_uri],
            "scopes": ["memories:read", "memories:write"],
            "is_confidential": False,
        }
        headers = {"authorization": f"Basic {basic}"}
        answer = self.http.post(f"{self.url}/api/admin/clients/register", json=wanted, headers=headers)
        expect_equal("the status of POST /api/admin/clients/register", answer.status_code, 201)
        return answer.json()["client_id"]

    def by_itself(self, redirect_uri):
        wanted = {
            "client_name": "Peer conformance suite",
            "redirect_uris": [redirect_uri],
            "token_endpoint_auth_method": "none",
        }
        answer = self.http.post(f"{self.url}/register", json=wanted)
        expect_equal("the status of POST /register", answer.status_code, 201)
        return answer.json()["client_id"]

    def run_scenarios(self, register, options):
        port = free_port()
        callback = f"http://127.0.0.1:{port}/callback"
        client = register(callback)
        with tempfile.TemporaryDirectory() as results:
            said = self.drive(
                [*self.command, "authorization", "--url", self.url, "--client-id", client, "-p", str(port), "-o", results]
                + options,
                callback,
            )
            self.judge(Path(results), said)

    def drive(self, command, callback):
        """Runs the suite and does what it asks a person to do. Returns what it said."""
        suite = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        try:
            for line in suite.stdout:
                said.append(line)
                if line.startswith("http") and "code_challenge=" in line:
                    httpx2.get(self.person.authorize(line.strip(), callback)).raise_for_status()
        finally:
            suite.kill()
            suite.wait()
        return "".join(said)

    def judge(self, results, said):
        """Every requirement must be met. A warning is a recommendation that is not followed."""
        found, complaints = set(), []
        for file in sorted(results.rglob("checks.json")):
            for check in json.loads(file.read_text()):
                status = check["status"]
                self.totals[status.lower()] += 1
                found.add(check["id"])
                if status == "WARNING":
                    self.checks.note(f"warning of {check['id']}: {check.get('errorMessage')}")
                elif status not in ("SUCCESS", "INFO"):
                    complaints.append(f"{status} {check['id']}: {check.get('errorMessage')}")
        expect(not complaints, "; ".join(complaints))
        expect(found >= CHECKS, f"the suite checked only {sorted(found)}; it said:\n{said}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    # The suite itself waits for a person for five minutes.
    signal.alarm(240)
    url, username, password, node, suite_js = sys.argv[1:]
    Peer(url.rstrip("/"), (username, password), node, suite_js).run()
