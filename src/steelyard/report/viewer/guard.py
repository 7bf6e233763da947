"""Who may ask, and what a page may do: Host check, token, and headers that leave hostile text no way out."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
OPEN = ("/static/", "/enter")  # reachable without the token


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hosts_of(host: str) -> set[str]:
    """The names under which a viewer bound to `host` may be asked for; a wider one also by any address of its own."""
    names = {"localhost", "127.0.0.1", "::1", host.lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return names


def host_of(header: str) -> str:
    """The name in a Host header, without port and brackets."""
    name = header.strip().lower()
    return name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]


class Guard:
    """ASGI middleware.

    host: what the server is bound to. token: "" lets everybody in (a loopback server without one).
    """

    def __init__(self, app: App, host: str = "127.0.0.1", token: str = "") -> None:
        self.app, self.token = app, token
        self.names = hosts_of(host)
        self.wide = not is_loopback(host)
        self.cookie = "steelyard-" + hashlib.sha256(token.encode()).hexdigest()[:8]

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {k for k, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in own),
                ]
            await send(message)

        if not self.known(headers.get("host", "")):
            await self._say(guarded, 421, "This viewer does not answer to that name. Use the address it printed.\n")
        elif headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            await self._say(guarded, 403, "Another site may link here, and nothing else.\n")
        elif self.token and not scope["path"].startswith(OPEN):
            await self._with_token(scope, headers, receive, guarded)
        else:
            await self.app(scope, receive, guarded)

    def known(self, header: str) -> bool:
        """Whether a Host header names this viewer: else a page elsewhere has pointed its own name here (DNS rebinding)."""
        name = host_of(header)
        if name in self.names:
            return True
        try:
            return self.wide and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    async def _with_token(self, scope: Scope, headers: dict[str, str], receive: Any, send: Send) -> None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((v for k, v in query if k == "token"), "")
        if given and self.fits(given):
            rest = urlencode([(k, v) for k, v in query if k != "token"])
            path = scope.get("raw_path", b"/").decode("latin-1").partition("?")[0]
            await self.let_in(send, path + (f"?{rest}" if rest else ""))
        elif self.has_cookie(headers) or self.fits(headers.get("authorization", "").removeprefix("Bearer ")):
            await self.app(scope, receive, send)
        else:
            scope["state"] = {**scope.get("state", {}), "locked": True}
            await self.app(scope, receive, send)

    def fits(self, given: str) -> bool:
        return hmac.compare_digest(
            *(hashlib.sha256(t.encode("utf-8", "replace")).digest() for t in (given, self.token))
        )

    def has_cookie(self, headers: dict[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self.secret.encode())

    @property
    def secret(self) -> str:
        """What the cookie holds: proves that the token was given, without being it."""
        return hmac.new(self.token.encode(), b"steelyard viewer", hashlib.sha256).hexdigest()

    async def let_in(self, send: Send, to: str) -> None:
        """Set the cookie and go to `to`, a path on this server."""
        to = "/" + to.lstrip("/\\")
        cookie = f"{self.cookie}={self.secret}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"location", to.encode("latin-1", "replace")), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _say(self, send: Send, status: int, text: str) -> None:
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})
