"""Whose address a request comes from, also behind proxies that we trust."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from pushd.http.request import Request

Networks = Sequence[IPv4Network | IPv6Network]


def client_address(request: Request, trusted: Networks) -> str | None:
    """The address of whoever connected; if that is a trusted proxy, the last one in ``X-Forwarded-For`` that is
    none.
    """
    peer = request.peer
    if peer is None or not trusted or not _within(peer, trusted):
        return peer
    lines = request.requestHeaders.getRawHeaders(b"X-Forwarded-For") or ()
    hops = [hop.strip() for line in lines for hop in line.decode("latin-1").split(",")]
    strangers = [hop for hop in reversed(hops) if not _within(hop, trusted)]
    return strangers[0] if strangers and _parsed(strangers[0]) else peer


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address; one of IPv4 that arrived on an IPv6 socket, as itself."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def _within(address: str, networks: Networks) -> bool:
    found = _parsed(address)
    return found is not None and any(found.version == net.version and found in net for net in networks)
