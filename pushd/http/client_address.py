"""The address of the client, also behind trusted reverse proxies."""

import re
from collections.abc import Iterable, Sequence
from typing import Self

from attrs import frozen

from pushd.lib.ip_networks import Network, Networks, contains, parse_address

UNIX = "unix"
"""Stands for the proxies that connect to a Unix socket."""

_NODE = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+")
"""An address in brackets, or with a port, as in RFC 7239, section 6."""


@frozen
class TrustedProxies:
    """The reverse proxies whose ``X-Forwarded-For`` is trusted."""

    networks: Networks = ()
    is_unix_trusted: bool = False
    """Whether those that connect to a Unix socket are."""

    @classmethod
    def of(cls, proxies: Sequence[Network | str]) -> Self | None:
        """From networks, and :data:`UNIX`; None if there are none."""
        networks = tuple(proxy for proxy in proxies if not isinstance(proxy, str))
        return cls(networks, UNIX in proxies) if proxies else None

    def __contains__(self, peer: str | None) -> bool:
        """Whether what connects from this address is one of them; None: from a Unix socket."""
        if peer is None:
            return self.is_unix_trusted
        return contains(self.networks, parse_address(peer))


def client_address(peer: str | None, forwarded: Iterable[bytes], trusted: TrustedProxies | None) -> str | None:
    """The address that connected; if it is that of a trusted proxy, the last address in ``X-Forwarded-For`` that is
    not. ``forwarded`` are the values of that header.

    None if it is not known: on a Unix socket without a trusted proxy, and behind one that does not give an address.
    """
    if trusted is None or peer not in trusted:
        return peer
    hops = [hop.strip() for line in forwarded for hop in line.decode("latin-1").split(",")]
    for hop in reversed([hop for hop in hops if hop]):
        address = parse_address(_without_port(hop))
        if not contains(trusted.networks, address):
            return None if address is None else str(address)
    return peer


def _without_port(hop: str) -> str:
    match = _NODE.fullmatch(hop)
    return hop if match is None else match[1] or match[2]
