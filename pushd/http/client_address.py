"""The address of the client, also behind trusted reverse proxies."""

from pushd.http.request import Request
from pushd.lib.ip_networks import Networks, contains, parse_address


def client_address(request: Request, trusted: Networks) -> str | None:
    """The address that connected; if it is in a ``trusted`` network, the last address in ``X-Forwarded-For`` that is
    not. None on a Unix socket.
    """
    peer = request.peer
    if peer is None or not trusted or not contains(trusted, parse_address(peer)):
        return peer
    lines = request.requestHeaders.getRawHeaders(b"X-Forwarded-For") or ()
    hops = [hop.strip() for line in lines for hop in line.decode("latin-1").split(",")]
    for hop in reversed(hops):
        address = parse_address(hop)
        if not contains(trusted, address):
            return hop if address else peer
    return peer
