"""What can go wrong between ``pushctl`` and the server; every message is one line for the operator."""

from collections.abc import Iterable, Mapping
from typing import Any

from pushd.lib.text import printable


class ClientError(Exception):
    """An error that the operator can understand and act on."""

    def __str__(self) -> str:
        return printable(super().__str__())


class Misconfigured(ClientError):
    """The URL or the token, given or found, cannot be used."""


class Unreachable(ClientError):
    """There was no answer. Unless ``never_sent`` is true, the server may have received the request nevertheless."""

    def __init__(self, message: str, *, never_sent: bool = False) -> None:
        self.never_sent = never_sent
        super().__init__(message)


class UnexpectedResponse(ClientError):
    """The response is not one of the admin API: another program listens there."""


class Refused(ClientError):
    """The server answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"refused ({status}): {message}")


def refused(status: int, problem: Mapping[str, Any]) -> Refused:
    """The error for a problem document (RFC 9457); it names each invalid field by its JSON pointer."""
    fields = list(_fields(problem.get("errors")))
    if fields:
        return Refused(status, "; ".join(fields))
    reason = str(problem.get("detail") or problem.get("title") or "no reason given")
    return Refused(status, f"{reason} The oldest is {problem['oldest']}." if problem.get("oldest") else reason)


def _fields(errors: object) -> Iterable[str]:
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            yield f"{error.get('pointer', '')} {error.get('detail', '')}".strip()
