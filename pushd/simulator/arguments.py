"""What stands behind an option of the command line: text to values, or a ValueError in words for whoever wrote it."""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from pathlib import Path

from attrs import frozen
from hyperlink import DecodedURL, URLParseError

from pushd.dialects.controlid import wire as controlid
from pushd.dialects.servereye import wire as servereye
from pushd.model.errors import InvalidQuery

_MOST = 100_000
"""Devices of one dialect: more than one process has sockets for."""

_CANONICAL: Mapping[str, Callable[[str], str]] = {
    "controlid": controlid.canonical,
    "servereye": servereye.canonical,
}


@frozen
class DeviceId:
    """A device by name: its dialect, and what it calls itself there."""

    dialect: str
    local: str

    def __str__(self) -> str:
        return f"{self.dialect}:{self.local}"


def read_device(text: str, separator: str) -> DeviceId:
    """A device as its dialect writes it: ``controlid=4408801109440101``, or with a colon, as ``separator`` says."""
    dialect, found, local = text.partition(separator)
    if not found or dialect not in _CANONICAL:
        raise ValueError(f"{text!r} does not begin with {' or '.join(name + separator for name in _CANONICAL)}")
    try:
        return DeviceId(dialect, _CANONICAL[dialect](local))
    except InvalidQuery as error:
        raise ValueError(str(error)) from None


def read_url(text: str) -> DecodedURL:
    """The address of a server."""
    try:
        url = DecodedURL.from_text(text)
    except (URLParseError, ValueError):
        raise ValueError(f"{text!r} is no URL") from None
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) not in range(65536):
        raise ValueError(f"{text!r} is no http or https URL")
    return url.replace(query=(), fragment="")


def read_path(text: str) -> tuple[str, ...]:
    """The segments of a path."""
    return tuple(segment for segment in text.split("/") if segment)


def read_number(text: str) -> int:
    """How many devices."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST)) and int(text) <= _MOST):
        raise ValueError(f"{text!r} is no whole number from 0 to {_MOST}")
    return int(text)


def read_seed(text: str) -> int:
    """Any whole number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def read_seconds(text: str) -> float:
    """A duration, which may be none at all."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(f"{text!r} is no number of seconds")
    return seconds


def read_pause(text: str) -> float:
    """A duration that is one: a device that waited for nothing would never come to rest."""
    seconds = read_seconds(text)
    if seconds <= 0:
        raise ValueError("must be more than 0 seconds")
    return seconds


def read_writable(text: str) -> Path:
    """A file that can be appended to; it is made if need be."""
    path = Path(text).absolute()
    try:
        path.open("a").close()
    except OSError as error:
        raise ValueError(f"cannot write to {text}: {error.strerror}") from None
    return path


def read_secrets(texts: Iterable[str], devices: Iterable[DeviceId]) -> dict[str, str]:
    """Secrets by device, each given as ``DIALECT:ID=SECRET``; a device that is not there cannot have one."""
    known, secrets = {str(device) for device in devices}, {}
    for text in texts:
        name, _, secret = text.partition("=")
        device = str(read_device(name, ":"))
        if device not in known:
            raise ValueError(f"there is no device {device} here")
        if not secret:
            raise ValueError(f"the secret of {device} is missing")
        secrets[device] = secret
    return secrets
