"""Tests of :mod:`pushd.http.client_address`: the address of the client, also behind reverse proxies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.python.failure import Failure

from pushd.http.client_address import UNIX, TrustedProxies, client_address
from pushd.lib.ip_networks import contains, parse_address, parse_network
from tests.connection import Connection, request
from tests.in_memory_server import BuildServer, InMemoryServer

NETWORKS = (parse_network("10.0.0.0/8"), parse_network("fd00::/8"))
TRUSTED = TrustedProxies(NETWORKS)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", [b"192.0.2.9, 10.0.0.2"], "192.0.2.9"),
        ("10.0.0.1", [b"192.0.2.9", b"10.0.0.2"], "192.0.2.9"),
        ("10.0.0.1", [b"192.0.2.9,10.0.0.2,fd00::1"], "192.0.2.9"),
        ("fd00::1", [b"2001:db8::9"], "2001:db8::9"),
        ("::ffff:10.0.0.1", [b"192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", [b"10.0.0.7, 10.0.0.2"], "10.0.0.1"),
        ("10.0.0.1", [b""], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.7:51008"], "203.0.113.7"),
        ("10.0.0.1", [b"203.0.113.7:51008, 10.0.0.2:80"], "203.0.113.7"),
        ("10.0.0.1", [b"[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", [b"[2001:DB8::7]"], "2001:db8::7"),
        ("10.0.0.1", [b"[::ffff:203.0.113.7]:4711, [fd00::1]:1"], "203.0.113.7"),
        ("10.0.0.1", [b"203.0.113.7, , ", b","], "203.0.113.7"),
    ],
)
def test_address(peer: str, forwarded: list[bytes], address: str) -> None:
    """Behind trusted proxies, the client's address is the last one that is not of a trusted proxy."""
    assert client_address(peer, forwarded, TRUSTED) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [b"198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", [b"198.51.100.7, 192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", [b"10.0.0.7, 192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", [b"198.51.100.7, unknown"], None),
        ("10.0.0.1", [b"198.51.100.7, _hidden"], None),
        ("10.0.0.1", [b"198.51.100.7, \xff"], None),
        ("10.0.0.1", [b"2001:db8::7]:1"], None),
        ("10.0.0.1", [b"198.51.100.7:x"], None),
    ],
)
def test_spoofed_address(peer: str, forwarded: list[bytes], address: str | None) -> None:
    """A client cannot choose its address by writing the header itself."""
    assert client_address(peer, forwarded, TRUSTED) == address


def test_no_trusted_proxy() -> None:
    """Without trusted proxies the header is ignored: the address is the one that connected."""
    assert client_address("10.0.0.1", [b"192.0.2.9"], None) == "10.0.0.1"


def test_peer_without_an_address(server: InMemoryServer) -> None:
    """A client that connects to a Unix socket has no address."""
    channel = server.device_site.buildProtocol(UNIXAddress(b"/run/pushd.sock"))
    assert client_address(channel.peer, [], TRUSTED) is None


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [([], None), ([b"203.0.113.7"], "203.0.113.7"), ([b"203.0.113.7, 10.0.0.2"], "203.0.113.7"), ([b"unknown"], None)],
)
def test_proxy_on_a_unix_socket(forwarded: list[bytes], address: str | None) -> None:
    """With ``--trusted-proxy unix``, what connects to a Unix socket is a proxy that gives the client's address."""
    trusted = TrustedProxies(NETWORKS, is_unix_trusted=True)
    assert client_address(None, forwarded, trusted) == address
    assert client_address(None, forwarded, TRUSTED) is None


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_any_header(forwarded: list[bytes]) -> None:
    """Whatever the header contains, the address is one, or not known."""
    lines = [line.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"") for line in forwarded]
    address = client_address("10.0.0.1", lines, TRUSTED)
    assert address is None or parse_address(address)


def test_address_is_shown(build_server: BuildServer) -> None:
    """An operator sees the address of the device, not that of its proxy."""
    server = build_server(trusted_proxies=NETWORKS)
    poll = request("GET /push?deviceId=7", b"", "X-Forwarded-For: 203.0.113.5, 198.51.100.7")
    server.device_request(poll, peer="10.0.0.1")
    assert server.device("controlid:7")["last_address"] == "198.51.100.7"


def behind_haproxy(server: InMemoryServer, data: bytes) -> Connection:
    """A connection from a proxy that speaks the PROXY protocol."""
    proxy = IPv4Address("TCP", "10.0.0.1", 40000)
    protocol = HAProxyWrappingFactory(server.device_site).buildProtocol(proxy)
    transport = StringTransport(peerAddress=proxy)
    protocol.makeConnection(transport)
    connection = Connection(protocol, transport)
    connection.send(data)
    return connection


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", "203.0.113.0/24"])
@pytest.mark.parametrize(
    ("line", "address"),
    [
        (b"PROXY TCP4 203.0.113.7 10.0.0.2 51008 8080\r\n", "203.0.113.7"),
        (b"PROXY TCP4 10.0.0.9 10.0.0.2 51008 8080\r\n", "10.0.0.9"),
        (b"PROXY UNKNOWN\r\n", None),
    ],
)
def test_address_of_the_proxy_protocol(server: InMemoryServer, line: bytes, address: str | None, allowed: str) -> None:
    """With a ``haproxy:`` endpoint, the address that the PROXY line gives is judged, never that of the proxy."""
    server.register("controlid:7", allow_from=[allowed])
    command = server.put("controlid:7", {"endpoint": "doors_state"})
    connection = behind_haproxy(server, line)
    connection.send(request("GET /push?deviceId=7"))
    is_allowed = address is not None and contains([parse_network(allowed)], parse_address(address))
    assert server.command(command)["state"] == ("sent" if is_allowed else "queued")
    assert server.device("controlid:7")["last_address"] == (address if is_allowed else None)
    connection.hang_up()


def test_trusted_proxy_of_a_unix_socket(build_server: BuildServer) -> None:
    """A device behind a proxy on a Unix socket is judged by its own address."""
    server = build_server(trusted_proxies=(UNIX,))
    server.register("controlid:7", allow_from=["203.0.113.0/24"])
    command = server.put("controlid:7", {"endpoint": "doors_state"})
    for address, state in (("198.51.100.7", "queued"), ("203.0.113.7", "sent")):
        channel = server.device_site.buildProtocol(UNIXAddress(b"/run/pushd.sock"))
        channel.makeConnection(StringTransport(peerAddress=UNIXAddress(b"")))
        channel.dataReceived(request("GET /push?deviceId=7", b"", f"X-Forwarded-For: {address}"))
        assert server.command(command)["state"] == state
        channel.connectionLost(Failure(ConnectionDone()))
