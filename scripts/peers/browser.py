"""A person with a browser, as far as an authorization server can tell: pages, forms, cookies, redirects.

Where forms go and what they hide is taken from the pages; known are only the names `username`, `password` and `decision`.
"""

import secrets
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import httpx2

from checks import Failed, expect, expect_equal

REDIRECTS = (301, 302, 303, 307, 308)


class Form:
    """A form of a page: fields by name, and its buttons as (name, value, formaction)."""

    def __init__(self, attributes):
        self.action, self.method = attributes.get("action") or "", (attributes.get("method") or "get").lower()
        self.fields, self.buttons = {}, []


class Page(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self, text):
        super().__init__()
        self.forms, self._open = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            self._open = Form(attributes)
            self.forms.append(self._open)
        elif self._open is not None and tag in ("input", "button"):
            self._field(tag, attributes)

    def handle_endtag(self, tag):
        if tag == "form":
            self._open = None

    def _field(self, tag, attributes):
        kind = (attributes.get("type") or ("submit" if tag == "button" else "text")).lower()
        name, value = attributes.get("name"), attributes.get("value") or ""
        if kind == "submit":
            self._open.buttons.append((name, value, attributes.get("formaction")))
        elif name and kind in ("checkbox", "radio"):
            if "checked" in attributes:
                self._open.fields[name] = attributes.get("value") or "on"
        elif name and kind != "button":
            self._open.fields[name] = value


def origin(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(url):
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


class Person:
    """Somebody with an account of their own and a browser that is signed out at first."""

    def __init__(self, url, wire):
        self.url = url.rstrip("/")
        self.username, self.password = f"peer-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
        # Browsers send Secure cookies over plain HTTP to the machine they run on, and nowhere else.
        secure = ("https", "wss", "http") if is_loopback(url) else ("https", "wss")
        self.http = httpx2.Client(
            cookies=CookieJar(DefaultCookiePolicy(secure_protocols=secure)),
            event_hooks=wire.hooks(),
            headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64) peers", "accept": "text/html,*/*;q=0.8"},
            timeout=30,
        )

    def sign_up(self):
        """Makes the account by the JSON API."""
        account = {"username": self.username, "email": f"{self.username}@example.com", "password": self.password}
        with httpx2.Client(event_hooks=self.http.event_hooks, timeout=30) as http:
            answer = http.post(f"{self.url}/api/users", json=account)
        expect_equal("the status of POST /api/users", answer.status_code, 201)

    def authorize(self, authorization_url, redirect_uri, decision="allow"):
        """Follows an authorization URL, signs in and decides as asked. Returns where the browser would be sent with the
        answer, without going there."""
        answer = self._get(authorization_url, came_from_here=False)
        has_signed_in = has_decided = False
        posted = None
        for _ in range(12):
            if answer.status_code in REDIRECTS:
                target = urljoin(str(answer.url), answer.headers.get("location", ""))
                if posted is not None:
                    # Anything but these could send the form, with the password, on to the next page.
                    expect(answer.status_code in (302, 303), f"a form was answered with a {answer.status_code}")
                    _expect_form_action(posted, target)
                if target.split("?")[0].split("#")[0] == redirect_uri.split("?")[0]:
                    return target
                expect_equal("the origin of a redirect", origin(target), self._origin())
                answer = self._get(target)
                continue
            expect_equal("the status of a page", answer.status_code, 200)
            expect(answer.headers.get("content-type", "").startswith("text/html"), "a page is not HTML")
            page = Page(answer.text)
            if form := _with_field(page, "password"):
                expect(not has_signed_in, "the page for signing in came back: the password was not taken")
                has_signed_in = True
                posted, answer = answer, self._post(answer, form, self._credentials(form))
            elif form := _with_button(page, "decision", decision):
                expect(not has_decided, "the page for consent came back: the decision was not taken")
                has_decided = True
                posted, answer = answer, self._post(answer, form, {}, ("decision", decision))
            else:
                raise Failed("a page has neither a form with a password nor one with a decision")
        raise Failed("the pages go round in circles")

    def _origin(self):
        return origin(self.url)

    def _credentials(self, form):
        expect("username" in form.fields, "the form for signing in has no field username")
        expect(form.fields.get("csrf"), "the form for signing in has no csrf")
        return {"username": self.username, "password": self.password}

    def _get(self, url, came_from_here=True):
        site = "same-origin" if came_from_here else "cross-site"
        return self.http.get(url, headers={"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"})

    def _post(self, page, form, filled, button=None):
        expect_equal("the method of a form", form.method, "post")
        expect(form.fields.get("csrf"), "a form has no csrf")
        fields = {**form.fields, **filled}
        action = form.action
        if button:
            fields[button[0]] = button[1]
            action = next((own for name, value, own in form.buttons if (name, value) == button and own), action)
        target = urljoin(str(page.url), action)
        expect_equal("the origin of a form's action", origin(target), self._origin())
        _expect_form_action(page, target)
        headers = {
            "origin": self._origin(),
            "referer": str(page.url),
            "sec-fetch-site": "same-origin",
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
            "sec-fetch-user": "?1",
        }
        return self.http.post(target, data=fields, headers=headers)


def _with_field(page, name):
    return next((form for form in page.forms if name in form.fields), None)


def _with_button(page, name, value):
    return next((form for form in page.forms if any(button[:2] == (name, value) for button in form.buttons)), None)


def _expect_form_action(page, target):
    """Chromium asks the page's policy about the form's action, and about where the answer redirects to as well."""
    policy = page.headers.get("content-security-policy", "")
    directives = [directive.split() for directive in policy.split(";")]
    sources = next((words[1:] for words in directives if words and words[0] == "form-action"), None)
    if sources is None:
        return
    scheme, own = urlsplit(target).scheme, origin(str(page.url))
    fits = any(
        source in ("*", f"{scheme}:", origin(target))
        or (source == "'self'" and origin(target) == own)
        or source == origin(target).rsplit(":", 1)[0] + ":*"
        for source in sources
    )
    expect(fits, f"a browser would not go on to {origin(target)}: the page says form-action {' '.join(sources)}")
