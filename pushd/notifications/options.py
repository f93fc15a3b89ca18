"""What the options about mails and the pulse say.

Each reader here raises :exc:`ValueError` in words that say what is wanted.
"""

import re
from ipaddress import ip_address

from hyperlink import URL

from pushd.notifications.mail.smtp import Tls

MIN_REMIND = 0.1
MAX_REMIND = 8760.0
"""Hours: six minutes, that nobody is flooded, to a year."""

_ADDRESS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9-]+(\.[a-z0-9-]+)*", re.I)
_SERVER = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+)):([0-9]{1,5})", re.I | re.A)


def read_address(text: str) -> str:
    """The address of a mailbox."""
    if not text.isascii() or len(text) > 254 or not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text[:80]!a} is no plain address such as ops@example.org")
    return text


def read_server(text: str) -> tuple[str, int]:
    """A host, or address, and a port; an IPv6 address stands in brackets."""
    found = _SERVER.fullmatch(text)
    if found is None or not 0 < int(found[3]) < 65536:
        raise ValueError("HOST:PORT is wanted, mail.example.org:587 say")
    return found[1] or found[2], int(found[3])


def read_tls(value: object) -> Tls:
    """How the way is secured."""
    if value not in list(Tls):
        raise ValueError(f"one of {', '.join(Tls)} is wanted")
    return Tls(str(value))


def read_remind(value: object) -> float:
    """Hours between reminders; 0 is never."""
    try:
        hours = float(str(value))
    except ValueError:
        hours = -1
    if isinstance(value, bool) or not (hours == 0 or MIN_REMIND <= hours <= MAX_REMIND):
        raise ValueError(f"hours are wanted, {MIN_REMIND:g} to {MAX_REMIND:g}, or 0 for never")
    return hours


def read_url(text: str) -> str:
    """A URL that can be fetched; it may be a secret, and is not repeated."""
    try:
        url = URL.from_text(text)
        good = url.scheme in ("http", "https") and bool(url.host)
    except ValueError:
        good = False
    if not good or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a URL is wanted, https://example.org/ping/1234 say")
    return text


def is_local(host: str) -> bool:
    """Whether the way to a host does not leave this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
