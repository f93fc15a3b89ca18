"""Values of options: each function checks one, as text or as TOML has it, and converts it.

A wrong value raises :exc:`ValueError` with words that continue the option's name: "must be ...".
"""

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from hyperlink import URL

from pushd.core.polling.hold_time import MAX_HOLD
from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.http.client_address import UNIX
from pushd.lib.ip_networks import Network, parse_network
from pushd.lib.text import parse_duration
from pushd.notifications.mail.recipients import Recipient

DIALECTS = (CONTROL_ID, SERVER_EYE)
"""The app of each one on the device port is in :data:`pushd.wiring.DEVICE_APPS`."""

HOUR, DAY = 3600.0, 86400.0
"""Seconds."""

MIN_REMINDER = 0.1
MAX_REMINDER = 8760.0
"""Hours: six minutes, so that reminders do not flood a mailbox, to a year."""

_ADDRESS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9-]+(\.[a-z0-9-]+)*", re.I)
_BASE_URL = "https://pushd.example.org"
"""An example."""
_SERVER = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+)):([0-9]{1,5})", re.I | re.A)

_ORIGIN = re.compile(r"(?:http(?!.*:80$)|https(?!.*:443$))://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
"""In lower case, without a path, and without the port that the scheme has by default (RFC 6454, section 6.2)."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_OTHER_HEADERS = "authorization cookie host origin x-csrf-token x-forwarded-for x-pushd-auth-secret".split()

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[Any], T]


def read_text(value: object) -> str:
    """A string."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be a string that is not empty")
    return value


def read_path(value: object) -> Path:
    """A path of a file or directory."""
    return Path(read_text(value))


def read_flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def read_count(value: object, least: int = 0) -> int:
    """A whole number; ``least`` is the smallest that is allowed."""
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise ValueError(f"must be a whole number, at least {least}")
    return int(text)


def read_positive(value: object) -> int:
    """A whole number, at least 1."""
    return read_count(value, 1)


def _seconds(value: object, unit: float = 1.0) -> float:
    """The seconds of a duration, such as 5m; of a number alone, that many times ``unit``; NaN for anything else."""
    try:
        return float("nan") if isinstance(value, bool) else parse_duration(str(value), unit)
    except ValueError:
        return float("nan")


def read_seconds(value: object) -> float:
    """A duration of at most a day."""
    seconds = _seconds(value)
    if not 0 <= seconds <= DAY:
        raise ValueError("must be a number of seconds, 0 to 86400, or a duration such as 5m or 24h")
    return seconds


def read_days(value: object) -> int:
    """A whole number of days, at least 1, also as a duration such as 30d."""
    days = _seconds(value, DAY) / DAY
    if not (1 <= days < 10**9 and days.is_integer()):
        raise ValueError("must be a whole number of days, at least 1")
    return int(days)


def list_of(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """A reader of one value or a list of them."""

    def read_all(value: object) -> tuple[T, ...]:
        return tuple(read(item) for item in (value if isinstance(value, list) else [value]))

    return read_all


def read_endpoints(value: object) -> tuple[str, ...]:
    """One or more endpoint strings of Twisted; whether they can be understood shows when they are opened."""
    endpoints = list_of(read_text)(value)
    if not endpoints:
        raise ValueError("must be at least one endpoint, such as tcp:8080")
    return endpoints


POSTGRES_SCHEMES = ("postgresql://", "postgres://")


def read_store(value: object) -> str:
    """The path of a SQLite file, or the URL of a database on PostgreSQL."""
    text = read_text(value)
    if "://" in text and not text.startswith(("sqlite:///", *POSTGRES_SCHEMES)):
        scheme = text.partition(":")[0]
        raise ValueError(f"must be a SQLite file, or a URL that begins with postgresql://, not with {scheme!a}")
    return text.removeprefix("sqlite:///")


def one_of(kind: type[E]) -> Reader[E]:
    """A reader of the values of an enum."""

    def read(value: object) -> E:
        if value not in list(kind):
            raise ValueError(f"must be one of {', '.join(kind)}")
        return kind(str(value))

    return read


def read_base(value: object) -> bytes:
    """A URL prefix without the slash at its end; the root needs none."""
    text = read_text(value)
    base = "/" + text.strip("/")
    parts = base[1:].split("/")
    if not text.startswith("/") or "" in parts or not text.isascii() or any(char in text for char in "?#% "):
        raise ValueError(f"must be a path such as /controlid, not {text!a}")
    if base == "/push":
        return base.encode("ascii")  # the same as the root, below which an address that ends in /push is served
    if parts[0] in ("push", "d") or (parts[0] in ("1", "2") and parts[1:2] == ["push"]):
        raise ValueError(f"{text!a} conflicts with a reserved path of the device port; choose another prefix")
    return base.encode("ascii")


def read_holds(value: object) -> dict[str, float]:
    """Long-poll timeouts by dialect: a table, or texts such as ``servereye=45``."""
    if not isinstance(value, dict):
        value = dict(text.partition("=")[::2] for text in list_of(read_text)(value))
    return {dialect: _hold(dialect, seconds) for dialect, seconds in value.items()}


def _hold(dialect: str, value: object) -> float:
    names = [known.name for known in DIALECTS]
    if dialect not in names:
        raise ValueError(f"unknown dialect {dialect!a}; must be one of {', '.join(names)}")
    seconds = _seconds(value)
    if not 0 <= seconds <= MAX_HOLD:
        raise ValueError(f"must be {dialect}=SECONDS, 0 to {MAX_HOLD:g}")
    return seconds


def read_flapping(value: object) -> tuple[int, float]:
    """How many changes in how long a time are flapping."""
    changes, _, within = read_text(value).partition("/")
    try:
        return read_positive(changes), read_seconds(within)
    except ValueError:
        raise ValueError("must be CHANGES/SECONDS, such as 5/600 or 5/10m") from None


def read_network(value: object) -> Network:
    """A network in CIDR notation, or a single address."""
    try:
        return parse_network(read_text(value))
    except ValueError as error:
        raise ValueError(f"must be a network such as 10.0.0.0/8: {error}") from None


def read_proxy(value: object) -> Network | str:
    """A network in CIDR notation, a single address, or ``unix``."""
    if value == UNIX:
        return UNIX
    try:
        return parse_network(read_text(value))
    except ValueError as error:
        raise ValueError(f"must be a network such as 10.0.0.0/8, or unix: {error}") from None


def read_header_name(value: object) -> str:
    """The name of a header (RFC 9110, section 5.1) that has no meaning of its own here."""
    text = read_text(value)
    if not _HEADER_NAME.fullmatch(text) or text.lower() in _OTHER_HEADERS:
        raise ValueError("must be the name of a header that only the proxy sets, such as X-Forwarded-User")
    return text


def read_mail_address(value: object) -> str:
    """The address of a mailbox, without a name."""
    text = read_text(value)
    if not text.isascii() or len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise ValueError(f"must be a plain address such as ops@example.org, not {text[:80]!a}")
    return text


def read_recipient(value: object) -> Recipient:
    """An address, optionally with the tag or the site of the devices whose alerts are mailed to it."""
    address, _, selector = read_text(value).partition(";")
    name, _, selected = selector.partition("=")
    if selector and (name not in ("tag", "site") or not selected):
        raise ValueError(f"must be ADDRESS, ADDRESS;tag=TAG or ADDRESS;site=SITE, not {str(value)[:80]!a}")
    return Recipient(address=read_mail_address(address), **({name: selected} if selector else {}))


def read_recipients(value: object) -> tuple[Recipient, ...]:
    """Recipients, each once."""
    return tuple(dict.fromkeys(list_of(read_recipient)(value)))


def read_base_url(value: object) -> str:
    """A URL below which paths can be appended; without the slash at its end."""
    text = read_url(value, _BASE_URL).rstrip("/")
    url = URL.from_text(text)
    if url.query or url.fragment or url.userinfo:
        raise ValueError(f"must be a URL without user, query and fragment, such as {_BASE_URL}")
    return text


def read_hours(value: object) -> float:
    """Hours between reminders; 0 turns them off."""
    hours = _seconds(value, HOUR) / HOUR
    if not (hours == 0 or MIN_REMINDER <= hours <= MAX_REMINDER):
        raise ValueError(f"must be a number of hours, {MIN_REMINDER:g} to {MAX_REMINDER:g}, or 0 for no reminders")
    return hours


def read_server(value: object) -> tuple[str, int]:
    """A host name or address, and a port."""
    found = _SERVER.fullmatch(read_text(value))
    if found is None or not 0 < int(found[3]) < 65536:
        raise ValueError("must be HOST:PORT, such as mail.example.org:587; an IPv6 address in brackets")
    return found[1] or found[2], int(found[3])


def read_url(value: object, example: str = "https://example.org/ping/1234") -> str:
    """A URL that can be requested; it may be a secret, so no message repeats it."""
    text = read_text(value)
    try:
        url = URL.from_text(text)
        good = url.scheme in ("http", "https") and bool(url.host)
    except ValueError:
        good = False
    if not good or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"must be a URL, such as {example}")
    return text


def read_origin(value: object) -> str:
    """The origin of a web page, exactly as browsers send it."""
    text = read_text(value)
    if not _ORIGIN.fullmatch(text):
        raise ValueError(
            "must be scheme, host and port of a page as browsers send them, such as https://app.example.org"
        )
    return text
