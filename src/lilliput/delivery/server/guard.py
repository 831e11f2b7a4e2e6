"""Before and around every route: who may ask, which headers every answer carries, and what is counted.

A web page anywhere can make its visitor's browser send requests to this machine. It cannot read the answers, for they
carry no CORS headers; and a page that points its own name at this machine is known by the ``Host`` it sends.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lilliput.delivery.server.counts import Counts
from lilliput.delivery.server.refusal import Refusal

CROWDED = "is_crowded"
"""In the state of a request that came by one connection too many."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class Guard:
    """An application around the routes. ``hosts`` are the names under which the server may be called.

    ``routes`` are counted by name, all other paths as "other".
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], routes: Collection[str], counts: Counts
    ) -> None:
        self._app, self._counts, self._routes = app, counts, routes
        self._hosts = frozenset(filter(None, map(_bare, (*LOOPBACK, *hosts))))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        refusal = self._refuse(scope)
        if scope["method"] == "HEAD":  # GET's answer, whose body uvicorn leaves out
            scope = {**scope, "method": "GET"}
        try:
            app = refusal.response() if refusal else self._app
            await app(scope, receive, send_with_headers)
        finally:
            path = scope["path"]
            route = path if path in self._routes else "other"
            self._counts.request(route, status, time.perf_counter() - started)

    def _refuse(self, scope: Scope) -> Refusal | None:
        """Why a request is not for us, or not now, if it is not."""
        if scope.get("state", {}).get(CROWDED):
            return Refusal(
                503,
                "TooManyConnections",
                "too many connections are open",
                "try again in a second",
                {"Retry-After": "1", "Connection": "close"},
            )
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or _host_name(hosts[0]) not in self._hosts:
            return Refusal(
                403,
                "HostRefused",
                "this server is not known by the name it was called",
                "start it with --allow-host NAME to allow another",
            )
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if any(_origin_name(one) not in self._hosts for one in origins):
            return Refusal(403, "OriginRefused", "pages of other sites may not ask here")
        return None


def _host_name(host: str) -> str:
    """``example.org:8000`` -> ``example.org``, ``[::1]:8000`` -> ``::1``; "" for what is no host."""
    try:
        parts = urlsplit(f"//{host}")
        is_plain = parts.netloc == host and "@" not in host
        return _bare(parts.hostname or "") if is_plain else ""
    except ValueError:
        return ""


def _origin_name(origin: str) -> str:
    scheme, _, host = origin.partition("://")
    return _host_name(host) if scheme in ("http", "https") else ""


def _bare(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()
