"""Tests of :mod:`pushd.http.client_address`: the address of the client, also behind reverse proxies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress

from pushd.http.client_address import client_address
from pushd.http.request import Request
from pushd.http.site import Channel
from pushd.lib.ip_networks import parse_network
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

TRUSTED = (parse_network("10.0.0.0/8"), parse_network("fd00::/8"))


def request_from(peer: str | None, *forwarded: bytes) -> Request:
    """A request from this address, with these ``X-Forwarded-For`` headers."""
    channel = Channel()
    channel.peer = peer
    made = Request(channel)
    for line in forwarded:
        made.requestHeaders.addRawHeader(b"X-Forwarded-For", line)
    return made


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
    ],
)
def test_address(peer: str, forwarded: list[bytes], address: str) -> None:
    """Behind trusted proxies, the client's address is the last one that is not of a trusted proxy."""
    assert client_address(request_from(peer, *forwarded), TRUSTED) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [b"198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", [b"198.51.100.7, 192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", [b"10.0.0.7, 192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", [b"198.51.100.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.7, \xff"], "10.0.0.1"),
        ("10.0.0.1", [b"192.0.2.9:5000"], "10.0.0.1"),
        ("10.0.0.1", [b""], "10.0.0.1"),
    ],
)
def test_spoofed_address(peer: str, forwarded: list[bytes], address: str) -> None:
    """A client cannot choose its address by writing the header itself."""
    assert client_address(request_from(peer, *forwarded), TRUSTED) == address


def test_no_trusted_proxy() -> None:
    """Without trusted proxies the header is ignored: the address is the one that connected."""
    assert client_address(request_from("10.0.0.1", b"192.0.2.9"), ()) == "10.0.0.1"


def test_peer_without_an_address(server: InMemoryServer) -> None:
    """A client that connects to a Unix socket has no address."""
    channel = server.device_site.buildProtocol(UNIXAddress(b"/run/pushd.sock"))
    assert client_address(request_from(channel.peer), TRUSTED) is None


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_any_header(forwarded: list[bytes]) -> None:
    """Whatever the header contains, there is an address."""
    lines = [line.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"") for line in forwarded]
    assert client_address(request_from("10.0.0.1", *lines), TRUSTED)


def test_address_is_shown(build_server: BuildServer) -> None:
    """An operator sees the address of the device, not that of its proxy."""
    server = build_server(trusted_proxies=TRUSTED)
    poll = request("GET /push?deviceId=7", b"", "X-Forwarded-For: 203.0.113.5, 198.51.100.7")
    server.device_request(poll, peer="10.0.0.1")
    assert server.device("controlid:7")["last_address"] == "198.51.100.7"
