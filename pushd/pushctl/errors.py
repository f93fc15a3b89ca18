"""What can go wrong between an operator and the server; every message is one line for a person."""

from collections.abc import Iterable, Mapping
from typing import Any

from pushd.lib.text import printable


class ClientError(Exception):
    """Something that the operator can understand and act on."""

    def __str__(self) -> str:
        return printable(super().__str__())


class Misconfigured(ClientError):
    """The URL or the token that was given, or found, cannot be used."""


class Unreachable(ClientError):
    """No answer came; unless it was ``never_sent``, the request may have arrived nevertheless."""

    def __init__(self, message: str, *, never_sent: bool = False) -> None:
        self.never_sent = never_sent
        super().__init__(message)


class Unintelligible(ClientError):
    """What answered does not speak the admin API."""


class Refused(ClientError):
    """The server understood the request and refuses it."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"refused ({status}): {message}")


def refusal(status: int, problem: Mapping[str, Any]) -> Refused:
    """A problem (RFC 9457) as an error that names each field at fault by its pointer."""
    fields = list(_fields(problem.get("errors")))
    if fields:
        return Refused(status, "; ".join(fields))
    reason = str(problem.get("detail") or problem.get("title") or "no reason given")
    return Refused(status, f"{reason} The oldest is {problem['oldest']}." if problem.get("oldest") else reason)


def _fields(errors: object) -> Iterable[str]:
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            yield f"{error.get('pointer', '')} {error.get('detail', '')}".strip()
