"""Tests of :mod:`pushd.lib.ip_networks`."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushd.lib.ip_networks import contains, parse_address, parse_network, site_of

NETWORKS = (parse_network("10.0.0.0/8"), parse_network("192.0.2.7"), parse_network("fd00::/8"))


@pytest.mark.parametrize("text", ["10.0.0.0", "10.255.255.255", "192.0.2.7", "fd00::1", "::ffff:10.1.2.3"])
def test_address_in_a_network(text: str) -> None:
    """An address of either version is found in its network, an IPv4 address also if it came as IPv4-mapped IPv6."""
    assert contains(NETWORKS, parse_address(text))


@pytest.mark.parametrize("text", ["11.0.0.0", "192.0.2.6", "fe00::1", "::10.1.2.3", "::ffff:192.0.2.8", "::"])
def test_address_in_no_network(text: str) -> None:
    """An address outside of all networks is in none, whatever its version."""
    assert not contains(NETWORKS, parse_address(text))


@pytest.mark.parametrize("text", ["", "localhost", "10.0.0", "10.0.0.1:80", "[::1]", "10.0.0.0/8", " 10.0.0.1"])
def test_text_that_is_no_address(text: str) -> None:
    """A text that is no address is None, and in no network, not even in one of all addresses."""
    assert parse_address(text) is None
    assert not contains([parse_network("0.0.0.0/0"), parse_network("::/0")], parse_address(text))


@pytest.mark.parametrize("cidr", ["", "10.0.0.0/33", "fd00::/129", "10.0.0.0/x", "example.com"])
def test_text_that_is_no_network(cidr: str) -> None:
    """A text that is no network is refused."""
    with pytest.raises(ValueError, match=r"does not appear to be"):
        parse_network(cidr)


@pytest.mark.parametrize(("cidr", "network"), [("10.1.2.3/8", "10.0.0.0/8"), ("fd00::1/8", "fd00::/8")])
def test_a_network_may_be_named_by_any_of_its_addresses(cidr: str, network: str) -> None:
    """The address of a device with the length of its network's prefix is that network."""
    assert parse_network(cidr) == parse_network(network)


@given(st.ip_addresses(v=4))
def test_mapped_address_is_its_ipv4_address(address: IPv4Address) -> None:
    """Whichever socket it arrives on, an IPv4 address is the same address."""
    mapped = IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    assert parse_address(str(mapped)) == parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
        (None, None),
    ],
)
def test_a_site_is_an_ipv4_address_or_an_ipv6_64(address: str | None, site: str | None) -> None:
    """Devices behind one router are at one site, by whatever protocol they come."""
    assert site_of(address) == site
