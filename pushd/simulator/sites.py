"""Sites: devices that reach the server from one address, as all those do that are behind one router."""

from ipaddress import AddressValueError, IPv4Address

_FIRST = IPv4Address("127.0.0.2")
"""The first site's; the system lets anybody connect from all of 127.0.0.0/8."""


def address(site: int) -> str:
    """From where the devices of a site connect; sites are counted from 1."""
    return str(_FIRST + site - 1)


def of(place: int, devices: int, sites: int) -> int:
    """The site of the device at this place, if so many devices in a row are divided among so many sites."""
    return (place - 1) * sites // devices + 1


def is_near(host: str) -> bool:
    """Whether a server at ``host`` can be reached from the addresses of sites."""
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return False
