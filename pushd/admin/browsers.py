"""What protects clients that a browser authenticates by itself: cookies, origins and CSRF tokens.

A browser sends a cookie with any request to the server, at the request of any page. So a change must also carry a
token that only a page of the server can read, and must come from such a page (OWASP, "Cross-Site Request Forgery
Prevention").
"""

from hmac import compare_digest
from typing import Self

from attrs import frozen

from pushd.core.clients import Client
from pushd.http.request import Request
from pushd.lib.text import shortened
from pushd.model.errors import NotPermitted
from pushd.model.session import MAX_AGE

_SAFE = (b"GET", b"HEAD")
_COOKIE = b"pushd-session"
_SECURE_COOKIE = b"__Host-" + _COOKIE
"""Browsers take it over TLS only, and from no other host (RFC 6265bis, section 4.1.3.2)."""


def session_cookie(request: Request) -> str | None:
    """The secret in the cookie of a request, None if there is none."""
    name = _cookie_name(request)
    for line in request.requestHeaders.get(b"Cookie", ()):
        for cookie in line.split(b";"):
            known, separator, value = cookie.strip().partition(b"=")
            if known == name and separator:
                return value.decode("latin-1")
    return None


def set_session_cookie(request: Request, secret: str) -> None:
    """Have the browser keep the secret of a session, which no page can read."""
    _set_cookie(request, secret, MAX_AGE // 1000)


def clear_session_cookie(request: Request) -> None:
    """Have the browser forget it."""
    _set_cookie(request, "", 0)


def _set_cookie(request: Request, value: str, seconds: int) -> None:
    attributes = "; Secure" if request.is_secure else ""
    cookie = f"={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{attributes}"
    request.setHeader(b"Set-Cookie", _cookie_name(request) + cookie.encode("ascii"))


def _cookie_name(request: Request) -> bytes:
    return _SECURE_COOKIE if request.is_secure else _COOKIE


@frozen
class OriginPolicy:
    """The origins of the server's own pages: that of the request, and that of ``--base-url``."""

    base: bytes | None = None

    @classmethod
    def of(cls, base_url: str | None) -> Self:
        """The policy for the URL at which operators reach the server, if it is known."""
        if base_url is None:
            return cls()
        scheme, _, rest = base_url.partition("://")
        return cls(f"{scheme}://{rest.partition('/')[0]}".lower().encode("ascii"))

    def check(self, request: Request) -> None:
        """Check that a request does not come from a page of another origin; programs name none.

        :raises NotPermitted: if it does.
        """
        origins = request.requestHeaders.get(b"Origin", ())
        if any(not self._is_own(origin.lower(), request) for origin in origins):
            shown = shortened(b", ".join(origins).decode("latin-1"), 100)
            raise NotPermitted(
                f"The Origin {shown} is not that of this server; if people reach it there, start it with --base-url."
            )

    def _is_own(self, origin: bytes, request: Request) -> bool:
        if origin == self.base:
            return True
        scheme, _, authority = origin.partition(b"://")
        host = (request.getHeader(b"Host") or b"").lower()
        return scheme in _DEFAULT_PORTS and authority == host.removesuffix(_DEFAULT_PORTS[scheme])

    def check_change(self, client: Client, request: Request) -> None:
        """Check that no page of another origin is behind a change.

        :raises NotPermitted: if that is not sure.
        """
        if client.csrf_token is None or request.method in _SAFE:
            return
        self.check(request)
        sent = request.getHeader(b"X-CSRF-Token") or b""
        if not compare_digest(sent, client.csrf_token.encode()):
            raise NotPermitted("A change needs the header X-CSRF-Token, with the csrf of GET /v1/session.")


_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
