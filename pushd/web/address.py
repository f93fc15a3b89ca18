"""
Whose address a request comes from, also behind proxies that we trust.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from twisted.web.iweb import IRequest

Networks = Sequence[IPv4Network | IPv6Network]


def client_address(request: IRequest, trusted: Networks) -> str | None:
    """
    The address of whoever connected; if that is a trusted proxy, the last one in ``X-Forwarded-For`` that is none.
    """
    peer: str | None = getattr(request.getClientAddress(), "host", None)
    if peer is None or not trusted or not _within(peer, trusted):
        return peer
    hops = [
        hop.strip()
        for line in request.requestHeaders.getRawHeaders("x-forwarded-for") or ()
        for hop in line.split(",")
    ]
    strangers = [hop for hop in reversed(hops) if not _within(hop, trusted)]
    return strangers[0] if strangers and _is_address(strangers[0]) else peer


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _within(address: str, networks: Networks) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found.version == network.version and found in network for network in networks)
