"""A reverse proxy that authenticates people, and names them in a header."""

from hmac import compare_digest
from typing import Self

from attrs import field, frozen

from pushd.http.client_address import TrustedProxies
from pushd.http.request import Request
from pushd.lib.ip_networks import Network
from pushd.model.errors import NotAuthenticated

SECRET_HEADER = b"X-Pushd-Auth-Secret"
"""With what a proxy that connects by TCP shows that it is the proxy, and no other program at its address."""


@frozen
class AuthProxy:
    """Which connections are those of the proxy, judged by their own address, and in which header it names people."""

    header: bytes
    proxies: TrustedProxies
    secret: bytes = field(repr=False)
    """Empty if the proxy connects by a Unix socket alone."""

    @classmethod
    def of(cls, header: str | None, proxies: tuple[Network | str, ...], secret: str) -> Self | None:
        """From the options; None if there is no such proxy."""
        found = TrustedProxies.of(proxies)
        if header is None or found is None:
            return None
        spelled = "-".join(word.capitalize() for word in header.split("-"))  # as the HTTP layer spells all names
        return cls(spelled.encode("ascii"), found, secret.encode())

    def person_in(self, request: Request) -> str | None:
        """The name of the person for whom the proxy sends a request; None if it is not the proxy, or names none.

        :raises NotAuthenticated: if it is not clear whom it names, or if it lacks the secret.
        """
        names = request.requestHeaders.get(self.header)
        peer = request.channel.peer
        if names is None or peer not in self.proxies:
            return None
        if peer is not None and not self._has_secret(request):
            raise NotAuthenticated(f"The proxy must send its secret as {SECRET_HEADER.decode()}.")
        try:
            [name] = [name.decode("utf-8") for name in names]
        except ValueError:
            name = ""
        if not name or not name.isprintable():
            raise NotAuthenticated(f"The header {self.header.decode()} must be there once, with a printable name.")
        return name

    def _has_secret(self, request: Request) -> bool:
        sent = request.requestHeaders.get(SECRET_HEADER, ())
        return len(sent) == 1 and compare_digest(sent[0], self.secret)
