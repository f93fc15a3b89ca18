"""The address of the client, also behind trusted reverse proxies."""

import re

from attrs import frozen

from pushd.http.request import Request
from pushd.lib.ip_networks import Networks, contains, parse_address

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


def client_address(request: Request, trusted: TrustedProxies) -> str | None:
    """The address that connected; if it is that of a trusted proxy, the last address in ``X-Forwarded-For`` that is
    not.

    None if it is not known: on a Unix socket without a trusted proxy, and behind one that does not give an address.
    """
    peer = request.peer
    if peer is None:
        is_proxy = trusted.is_unix_trusted
    else:
        is_proxy = bool(trusted.networks) and contains(trusted.networks, parse_address(peer))
    if not is_proxy:
        return peer
    lines = request.requestHeaders.getRawHeaders(b"X-Forwarded-For") or ()
    hops = [hop.strip() for line in lines for hop in line.decode("latin-1").split(",")]
    for hop in reversed([hop for hop in hops if hop]):
        address = parse_address(_without_port(hop))
        if not contains(trusted.networks, address):
            return None if address is None else str(address)
    return peer


def _without_port(hop: str) -> str:
    match = _NODE.fullmatch(hop)
    return hop if match is None else match[1] or match[2]
