"""Where webhooks may be sent: the guard against server-side request forgery (SSRF).

A URL is checked when a webhook is configured, and each address again when a connection is made.
"""

import re
from ipaddress import IPv4Address, ip_address
from socket import inet_aton

from attrs import frozen
from hyperlink import URL

from pushd.lib.http_client import ConnectionNotPermitted
from pushd.lib.ip_networks import Address, Networks, contains, parse_network
from pushd.model.errors import FieldError, InvalidFields

MAX_URL = 2048
"""Characters."""

_GLOBAL_UNICAST = parse_network("2000::/3")
_NAT64 = parse_network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address."""

_COMPATIBLE = parse_network("::/96")
"""RFC 4291 section 2.5.5.1: the same, deprecated."""

_NUMERIC = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)


class EgressRefused(ConnectionNotPermitted):
    """The egress policy does not permit an address."""


@frozen
class EgressPolicy:
    """Permits public addresses, and those in the ``allowed`` networks."""

    allowed: Networks = ()

    def check_address(self, host: str) -> None:
        """Check that connecting to an address, given as text, is permitted.

        :raises EgressRefused: if not.
        """
        address = ip_address(host)
        forms = address, _embedded(address)
        if not (_is_public(address) or any(contains(self.allowed, form) for form in forms)):
            raise EgressRefused(f"{host} is not a public address; the server's option --webhook-allow can permit it.")

    def check_url(self, url: str) -> str:
        """The URL in ASCII, if its form and address are permitted. A host name may still resolve to other addresses.

        :raises InvalidFields: if it is not permitted.
        """
        try:
            parsed = _parse(url)
            address = _literal(parsed.host)
            if address is not None:
                self.check_address(address)
        except (ValueError, EgressRefused) as error:
            raise InvalidFields([FieldError("#/url", str(error))]) from None
        return parsed.to_text()


def _parse(text: str) -> URL:
    """:raises ValueError: with one sentence for people."""
    must = "must be a URL such as https://example.com/hook"
    if len(text) > MAX_URL or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError(f"{must}: at most {MAX_URL} characters, without spaces.")
    try:
        given = URL.from_text(text)
        # hyperlink takes an IPv6 address for a host name, and refuses it
        url = given.replace(host="x").to_uri().replace(host=given.host) if ":" in given.host else given.to_uri()
        url.to_text().encode("ascii")
    except ValueError as error:
        raise ValueError(f"{must}: {error}.") from None
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 0) < 65536:
        raise ValueError(f"{must}: http or https, a host, and optionally a port.")
    if url.userinfo or "@" in text.partition("://")[2].partition("/")[0]:
        raise ValueError(f"{must}, without user and password: the signature authenticates the sender.")
    if "#" in text:
        raise ValueError(f"{must}, without a fragment: it would not be sent.")
    return url


def _literal(host: str) -> str | None:
    """The address that a host stands for, in any form that resolvers accept: 127.1, 0x7f000001; None for a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return str(IPv4Address(inet_aton(host))) if _NUMERIC.fullmatch(host) else None
    except OSError:
        return None


def _is_public(address: Address) -> bool:
    """Whether an address is globally routable; of an IPv6 address that embeds an IPv4 address, that one counts."""
    address = _embedded(address) or address
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    return address.scope_id is None and address.is_global and address in _GLOBAL_UNICAST


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address embeds, if any."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
