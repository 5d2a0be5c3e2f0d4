"""Who may talk to the server, and what their browser may do with the page."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PAGE_PARTS = ("/page/", "/brighten/")
"""Scripts and styles: the same for everyone, so that they need no token."""


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    return host in _LOOPBACK or host.startswith("127.")


def new_token() -> str:
    """A secret for the URL, too long to be guessed."""
    return secrets.token_urlsafe(24)


class Access:
    """Checks requests by their address, their origin and, where there is one, a token.

    A page of another site must not use a server on this machine, not even by a name of its own
    that it lets point here (DNS rebinding): so `Host` must be a name of the loopback interface
    when the server listens there, and `Origin` must be the server itself.
    """

    def __init__(self, host: str, token: str | None) -> None:
        """Make the checks for a server.

        Args:
            host: the address that it listens on.
            token: what must be in the URL as `?token=`; None asks for none.
        """
        self._local = is_loopback(host)
        self._token = token

    def check(self, request: web.Request) -> None:
        """Refuse a request that may not come in.

        Raises:
            HTTPForbidden: it may not; the text says why.
        """
        if self._local and _hostname(request.host) not in _LOOPBACK:
            raise web.HTTPForbidden(text="this server is for this machine alone")
        if _needs_origin(request) and not _same_origin(request):
            raise web.HTTPForbidden(text="this request comes from another site")
        if not request.path.startswith(_PAGE_PARTS) and not self._has_token(request):
            raise web.HTTPForbidden(
                text="open the address that tapetum serve printed: it ends in"
                " ?token=... and changes at each start"
            )

    def _has_token(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        given = request.query.get("token", "")
        return hmac.compare_digest(given.encode(), self._token.encode())

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check each request before it is handled."""
        self.check(request)
        return await handler(request)


def _hostname(host: str) -> str:
    return _parts(f"//{host}").hostname or ""


def _needs_origin(request: web.Request) -> bool:
    """Whether it changes something, or opens the WebSocket: browsers then say where it is from."""
    return request.method not in ("GET", "HEAD") or "Upgrade" in request.headers


def _same_origin(request: web.Request) -> bool:
    return _parts(request.headers.get("Origin", "")).netloc == request.host


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # such as a bracket that is not closed
        return urlsplit("")


async def set_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Say what a browser may load and do; no script and no style but the page's own files."""
    sockets = f"ws://{request.host} wss://{request.host}"
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob:",
        "media-src": "'self' blob:",
        "connect-src": f"'self' {sockets}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    response.headers.update(
        {
            "Content-Security-Policy": "; ".join(f"{key} {rule}" for key, rule in policy.items()),
            "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache" if request.path.startswith(_PAGE_PARTS) else "no-store",
        }
    )
