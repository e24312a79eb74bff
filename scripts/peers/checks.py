"""One line a check, and what went over the wire when one fails."""

import re
import sys
from contextlib import contextmanager


class Failed(Exception):
    """Something is not as it has to be."""


class Stop(Exception):
    """A check failed: those that build on it are left out."""


def expect(condition, otherwise):
    """Fails the check around it, saying what is wrong."""
    if not condition:
        raise Failed(otherwise)


def expect_equal(what, found, wanted):
    expect(found == wanted, f"{what} is {found!r}, not {wanted!r}")


class Exchange:
    """A request and its answer."""

    def __init__(self, response, body):
        request = response.request
        self.method, self.url = request.method, str(request.url)
        self.path = request.url.path
        try:
            self.sent = request.content.decode("utf-8", "replace")
        except Exception:  # a stream that has gone by
            self.sent = ""
        self.request_headers = request.headers
        self.status, self.headers, self.body = response.status_code, response.headers, body

    def __str__(self):
        shown = ("content-type", "location", "www-authenticate", "cache-control", "x-request-id", "retry-after")
        lines = [f"{self.method} {self.url}"]
        if self.sent:
            lines.append("  " + self._short(self.sent))
        lines.append(f"-> {self.status}")
        lines += [f"  {name}: {self.headers[name]}" for name in shown if name in self.headers]
        if self.headers.get("content-type", "").startswith("text/html"):
            lines.append(
                "  " + self._short(re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]*>", " ", self.body, flags=re.DOTALL)))
            )
        elif self.body:
            lines.append("  " + self._short(self.body))
        return "\n".join(lines)

    @staticmethod
    def _short(text):
        """Without the better part of tokens, codes and verifiers, which nobody wants to read."""
        return re.sub(r"([\w.~-]{10})[\w.~-]{30,}", r"\1…", text)[:1_500]


class Wire:
    """Remembers what HTTP clients said and heard; `hooks` and `async_hooks` are their `event_hooks`."""

    def __init__(self):
        self.exchanges = []

    @staticmethod
    def _is_stream(response):
        return response.headers.get("content-type", "").startswith("text/event-stream")

    def hooks(self):
        def heard(response):
            body = "" if self._is_stream(response) else response.read().decode("utf-8", "replace")
            self.exchanges.append(Exchange(response, body))

        return {"response": [heard]}

    def async_hooks(self):
        async def heard(response):
            body = "" if self._is_stream(response) else (await response.aread()).decode("utf-8", "replace")
            self.exchanges.append(Exchange(response, body))

        return {"response": [heard]}

    def tail(self, count=3):
        return self.exchanges[-count:]


class Checks:
    """The checks of one peer."""

    def __init__(self, peer, wire):
        self.peer, self.wire = peer, wire
        self.passed = self.failed = 0

    @contextmanager
    def check(self, what):
        """One check: whatever its block raises is its failure."""
        try:
            yield
        except Stop:
            raise
        except Exception as error:
            self.failed += 1
            print(f"FAIL  {self.peer}: {what}: {_reason(error)}")
            for exchange in self.wire.tail():
                print("      | " + str(exchange).replace("\n", "\n      | "))
            sys.stdout.flush()
            raise Stop from error
        self.passed += 1
        print(f"ok    {self.peer}: {what}", flush=True)

    @contextmanager
    def flow(self):
        """Checks that build on each other: the first failure ends them, and only them."""
        try:
            yield
        except Stop:
            pass

    def note(self, what):
        print(f"note  {self.peer}: {what}", flush=True)

    def finish(self):
        """Says how it went and ends the program."""
        print(f"      {self.peer}: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)


def _reason(error):
    """Groups of exceptions hide what happened: this is the innermost one."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
