"""ASGI middleware: metrics, security headers and failures outside; checks of host, origin and token inside."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import time
from collections.abc import Set
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facesketch.serve.problems import ProblemError, stopping, unexpected
from facesketch.serve.prometheus import Metrics
from facesketch.serve.settings import Settings

API = "/v1/"
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
CLIENT_GONE = 499
"""The status of a request whose client closed the connection, as in nginx."""
_log = logging.getLogger("facesketch.serve")


class OuterMiddleware:
    """The outermost layer: counts requests, adds security headers, and answers unexpected errors with 500.

    Attributes:
        running: requests that have not been answered yet.
        stopping: whether new requests are refused.

    Args:
        app: the application.
        metrics: count the requests.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self.running, self.stopping = 0, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, scope)
        begun = time.perf_counter()
        self.running += 1
        try:
            await self._answer(scope, receive, answer)
        finally:
            self.running -= 1
            method, route = scope["method"], _route(scope)
            self._metrics.requests.labels(route, method if method in _METHODS else "other", str(answer.status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - begun)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        refused = self.stopping
        if refused:
            await stopping().response()(scope, receive, answer)
            return
        try:
            await self._app(scope, receive, answer)
        except asyncio.CancelledError:  # still running when the grace period is over
            if not self.stopping or answer.begun:
                raise
            await stopping().response()(scope, receive, answer)
        except Exception:  # a bug that one request meets must not end another
            self._metrics.crashes.inc()
            _log.exception("a request to %s failed", _route(scope))
            if not answer.begun:
                await unexpected().response()(scope, receive, answer)


class _Answer:
    """Sends an answer with the headers that every answer has."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send, self._api = send, scope["path"].startswith(API)
        self._close = any(name == b"transfer-encoding" for name, _ in scope["headers"])
        self.begun, self.status = False, CLIENT_GONE

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY.items():
                headers[name] = value
            if self._close:  # a proxy may see such a body end elsewhere and take the rest for another request
                headers["Connection"] = "close"
            if self._api:
                headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


class AccessMiddleware:
    """Checks the host, the origin and the token of each request.

    Args:
        app: the application.
        settings: the hosts, origins and token to accept.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._names = {_name(each) for each in settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer with a problem."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except ProblemError as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""))
        if scope["method"] not in {"GET", "HEAD"}:
            self._check_origin(headers)
        if scope["path"].startswith(API) and not self._is_trusted(headers):
            hint = "Send the header Authorization: Bearer with the token that the server was started with."
            raise ProblemError(401, "This server asks for a token.", hint, {"WWW-Authenticate": "Bearer"})

    def _check_host(self, host: str) -> None:
        """Refuse unknown names: another site may point its own at this machine, so that its pages read the answers."""
        if self._settings.token is not None and not self._settings.loopback:
            return  # another site does not know the token, and a public server may have any name
        if not _is_known(host, {*self._names, self._settings.host.lower()}):
            hint = "The person who runs the server can allow this name."
            raise ProblemError(400, "This server does not accept requests for that host name.", hint)

    def _check_origin(self, headers: Headers) -> None:
        """Refuse what a page of another site sends: a browser sends it without asking and hides only the answer."""
        origin = headers.get("origin")
        if origin is None or origin in self._settings.cors:
            return
        place = _place(origin)
        if place and (place == headers.get("host") or _name(place) in self._names):
            return
        hint = "The person who runs the server can allow this site."
        raise ProblemError(403, "A page of another site sent this request.", hint)

    def _is_trusted(self, headers: Headers) -> bool:
        if self._settings.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self._settings.token.encode())
        return same and scheme.lower() == "bearer"


def _route(scope: Scope) -> str:
    """Return the pattern of a request's route; there are few patterns, but any number of paths."""
    return getattr(scope.get("route"), "path", "other")


def _is_known(host: str, names: Set[str]) -> bool:
    """Tell whether a `Host` header holds an address, which no other site can take, or an allowed name."""
    name = _name(host)
    if name == "localhost" or (name and name in names):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    """Return the name or address of `name`, `name:port` or `[address]:port`, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _place(origin: str) -> str:
    """Return the host and port of an origin; empty if it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
