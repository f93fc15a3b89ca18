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


class Withheld(ClientError):
    """What was not asked of the server, because it needs a further option."""


class Unreachable(ClientError):
    """There was no answer, or only that of a proxy which got none. Unless ``never_sent`` is true, the server may have
    received the request nevertheless.
    """

    def __init__(self, message: str, *, never_sent: bool = False) -> None:
        self.never_sent = never_sent
        super().__init__(message)


class OutcomeUnknown(ClientError):
    """There was no answer to a request that may have been carried out nevertheless."""


class UnexpectedResponse(ClientError):
    """The response is not one of the admin API: another program listens there."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}: is this the admin port of pushd?")


class NotAdminPort(UnexpectedResponse):
    """The path is not known there, and no problem document says so: most likely this is the device port."""

    def __init__(self, where: str) -> None:
        ClientError.__init__(
            self,
            f"{where} is not the admin port of pushd: its 404 is no problem document. The device port answers like"
            " this; give the URL of the admin port (--admin of the server, port 8081 by default) with --url",
        )


class Refused(ClientError):
    """The server answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"refused ({status}): {message}")


def refused(status: int, problem: Mapping[str, Any], token_source: str = "") -> Refused:
    """The error for a problem document (RFC 9457); it names each invalid field by its JSON pointer.

    If the token is what is refused, it says which one that was.
    """
    used = f" (token: {token_source})" if token_source and status in (401, 403) else ""
    return Refused(status, f"{_in_words_of_pushctl(problem, _reason(problem))}{used}")


def _in_words_of_pushctl(problem: Mapping[str, Any], reason: str) -> str:
    """A reason whose remedy names options of ``pushctl`` in place of what a client of the API sends."""
    remedy = _REMEDIES.get(str(problem.get("type")), "")
    for parameter, option in _OPTIONS.items():
        reason = reason.replace(parameter, option)
    return f"{reason.rstrip('.')}{remedy}" if remedy else reason


_REMEDIES = {"device-known": "; to change it: pushctl devices set DEVICE"}
"""What ``pushctl`` adds, by the ``type`` of the problem."""

_OPTIONS = {"unchecked=1": "--unchecked"}
"""The parameters that remedies of the server name, and the options that send them."""


def _reason(problem: Mapping[str, Any]) -> str:
    fields = list(_fields(problem.get("errors")))
    if fields:
        return "; ".join(fields)
    reason = str(problem.get("detail") or problem.get("title") or "no reason given")
    return f"{reason} The oldest is {problem['oldest']}." if problem.get("oldest") else reason


def _fields(errors: object) -> Iterable[str]:
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            yield f"{error.get('pointer', '')} {error.get('detail', '')}".strip()


def certificate_problem(error: ClientError) -> str | None:
    """Why a certificate was not trusted; None if the error is another one."""
    if "certificate verify failed" in str(error):
        return "this machine does not trust the authority of its certificate"
    if "VerificationError" in str(error):
        return "its certificate is for another name"
    return None
