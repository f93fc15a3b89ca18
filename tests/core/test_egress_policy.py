"""Tests of :mod:`pushd.core.egress_policy`: where webhooks may be sent."""

from ipaddress import ip_network

import pytest

from pushd.core.egress_policy import EgressPolicy, EgressRefused
from pushd.model.errors import InvalidFields

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "2002:5db8:d822::", "64:ff9b::5db8:d822")

INTERNAL = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """Public addresses are permitted."""
    EgressPolicy().check_address(address)


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses(address: str) -> None:
    """Internal addresses are refused, in any form, also embedded in IPv6 addresses."""
    with pytest.raises(EgressRefused, match="--webhook-allow"):
        EgressPolicy().check_address(address)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("10.0.0.0/8", "64:ff9b::a00:1"),
        ("fd00::/8", "fd12:3456::1"),
        ("::1/128", "::1"),
    ],
)
def test_an_operator_may_allow_more(network: str, address: str) -> None:
    """Addresses in a configured network are permitted, and no others."""
    targets = EgressPolicy((ip_network(network),))
    targets.check_address(address)
    with pytest.raises(EgressRefused):
        targets.check_address("192.168.1.1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/hook?key=1", "https://example.com/hook?key=1"),
        ("http://example.com:8080", "http://example.com:8080"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://[2606:2800:220:1::1]:444/", "https://[2606:2800:220:1::1]:444/"),
        ("http://localhost/", "http://localhost/"),  # a name: its addresses are judged when it is connected to
    ],
)
def test_urls(url: str, expected: str) -> None:
    """A URL is normalized to the form in which it is requested."""
    assert EgressPolicy().check_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "https:///hook",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://@example.com/",
        "https://example.com/#top",
        "https://example.com/#",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:http/",
        "https://example.com/a b",
        "https://example.com/\r\nHost: other",
        "https://example.com\\@other/",
        "https://exa\ud800mple.com/",
        "https://example.com/" + "x" * 2048,
        "https://[::1",
    ],
)
def test_invalid_urls(url: str) -> None:
    """Anything else is refused, with an error that names the field."""
    with pytest.raises(InvalidFields) as caught:
        EgressPolicy().check_url(url)
    [error] = caught.value.errors
    assert error.pointer == "#/url"
    assert "https://example.com/hook" in error.detail


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "[::1]", "[::ffff:10.0.0.1]", "10.0.0.1"],
)
def test_an_address_in_a_url_is_checked_at_once(host: str) -> None:
    """A URL with an internal address, in any form that a resolver accepts, is refused."""
    with pytest.raises(InvalidFields, match="--webhook-allow"):
        EgressPolicy().check_url(f"http://{host}:8080/hook")
    allowed = EgressPolicy((ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1")))
    assert allowed.check_url(f"http://{host}:8080/hook")
