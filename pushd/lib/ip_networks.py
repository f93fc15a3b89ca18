"""IP addresses and networks: parse them, and test membership.

Addresses are compared as what they stand for: an IPv4 address that arrives on an IPv6 socket, such as
``::ffff:192.0.2.1``, is the IPv4 address ``192.0.2.1``.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]


def parse_address(text: str) -> Address | None:
    """The address that a text is; an IPv4-mapped one as IPv4, and None if the text is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_local(host: str) -> bool:
    """Whether connections to a host, by its name or address, stay on this machine."""
    address = parse_address(host)
    return host == "localhost" if address is None else address.is_loopback


def site_of(address: str | None) -> str | None:
    """The address or network that stands for a site: an IPv4 address, or the /64 of an IPv6 one, which is the smallest
    network that a provider gives a customer. A text that is no address stands for itself.
    """
    parsed = None if address is None else parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed) >> 64 << 64, 64)))
    return address if parsed is None else str(parsed)


@lru_cache(maxsize=4096)
def parse_network(cidr: str) -> Network:
    """A network in CIDR notation, such as ``10.0.0.0/8``; an address alone is the network of that address.

    Bits beyond the prefix length do not matter: ``10.0.0.7/8`` is ``10.0.0.0/8``.

    :raises ValueError: if it is none.
    """
    return ip_network(cidr, strict=False)


def contains(networks: Iterable[Network], address: Address | None) -> bool:
    """Whether an address is in one of the networks; None is in no network."""
    return address is not None and any(address in network for network in networks)
