"""Targets: where webhooks may be sent. Pure; whoever connects asks again, with the address that it connects to."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import inet_aton

from attrs import frozen
from hyperlink import URL

from pushd.lib.ip_networks import Address, Networks, contains, parse_network
from pushd.model.errors import FieldError, InvalidFields

MAX_URL = 2048
"""Characters."""

_GLOBAL_UNICAST = parse_network("2000::/3")
_NAT64 = parse_network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an address of IPv4."""

_COMPATIBLE = parse_network("::/96")
"""RFC 4291 section 2.5.5.1: the same, long out of use."""

_NUMERIC = re.compile(r"[0-9a-fx.]+", re.IGNORECASE)


class EgressRefused(Exception):
    """An address may not be connected to; the message is one sentence for a person."""


@frozen
class EgressPolicy:
    """Public addresses, and those in the ``allowed`` networks."""

    allowed: Networks = ()

    def check_address(self, host: str) -> None:
        """Whether an address, as text, may be connected to.

        :raises TargetRefused: if not.
        """
        address = ip_address(host)
        if not (_is_public(address) or any(contains(self.allowed, form) for form in _forms(address))):
            raise EgressRefused(f"{host} is no public address; --webhook-allow can name it.")

    def check_url(self, url: str) -> str:
        """A URL that messages may be sent to, in ASCII; its host may still be a name of something that is refused.

        :raises InvalidFields: if not.
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
    """:raises ValueError: with one sentence for a person."""
    wanted = "A URL such as https://example.com/hook is wanted"
    if len(text) > MAX_URL or not text.isprintable() or " " in text or "\\" in text:
        raise ValueError(f"{wanted}: at most {MAX_URL} characters, without spaces.")
    try:
        given = URL.from_text(text)
        # hyperlink would take an address of IPv6 for a name, and refuse it
        url = given.replace(host="x").to_uri().replace(host=given.host) if ":" in given.host else given.to_uri()
        url.to_text().encode("ascii")
    except ValueError as error:
        raise ValueError(f"{wanted}: {error}.") from None
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 0) < 65536:
        raise ValueError(f"{wanted}: http or https, a host, and maybe a port.")
    if url.userinfo or "@" in text.partition("://")[2].partition("/")[0]:
        raise ValueError(f"{wanted}, without user and password: the signature proves who sends.")
    if "#" in text:
        raise ValueError(f"{wanted}, without a fragment: it would not be sent.")
    return url


def _literal(host: str) -> str | None:
    """The address that a host is, in any of the forms that resolvers take for one: 127.1, 0x7f000001."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return str(IPv4Address(inet_aton(host))) if _NUMERIC.fullmatch(host) else None
    except OSError:
        return None


def _is_public(address: Address) -> bool:
    """Whether everybody on the Internet means the same by it: of wrapped ones, what they wrap counts."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    wrapped = _wrapped(address)
    if wrapped is not None:
        return _is_public(wrapped)
    return address.scope_id is None and address.is_global and address in _GLOBAL_UNICAST


def _forms(address: Address) -> Iterator[Address]:
    """An address, and the one that it wraps."""
    yield address
    wrapped = _wrapped(address) if isinstance(address, IPv6Address) else None
    if wrapped is not None:
        yield wrapped


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
