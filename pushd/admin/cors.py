"""CORS: lets web pages of other origins call the API (Fetch Standard, section 3.2)."""

from collections.abc import Iterable
from typing import Self

from attrs import frozen

from pushd.http.request import Request

_PREFLIGHT = (
    (b"Access-Control-Allow-Methods", b"GET, POST, PATCH, DELETE"),
    (b"Access-Control-Allow-Headers", b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID"),
    (b"Access-Control-Max-Age", b"600"),
)
"""What a page may send; a browser remembers it for ten minutes. Cookies are never allowed: pages send a token."""


@frozen
class CorsPolicy:
    """The origins whose pages may call the API, such as ``https://app.example.org``; none: CORS is off."""

    origins: frozenset[bytes]

    @classmethod
    def of(cls, origins: Iterable[str]) -> Self:
        """The policy for origins as browsers send them."""
        return cls(frozenset(origin.encode("ascii") for origin in origins))

    def allow(self, request: Request) -> bool:
        """Have the response allow the page that sends the request, if its origin may; whether it is a preflight
        request of such a page, to which this is all of the response.
        """
        request.setHeader(b"Vary", b"Origin")
        origin = request.getHeader(b"Origin")
        if origin not in self.origins:
            return False
        request.setHeader(b"Access-Control-Allow-Origin", origin)
        if request.method != b"OPTIONS" or request.getHeader(b"Access-Control-Request-Method") is None:
            return False
        for name, value in _PREFLIGHT:
            request.setHeader(name, value)
        request.setResponseCode(204)
        return True
