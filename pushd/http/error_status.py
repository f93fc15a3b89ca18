"""Errors in HTTP: the status code and the text of each."""

import re
import time
from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from pushd.http.request import Request
from pushd.lib.large_json import TooManyValues
from pushd.lib.log_limit import LogLimit
from pushd.lib.strict_json import UnreadableBody
from pushd.lib.text import shortened
from pushd.model import errors

STATUS: Mapping[str, int] = {
    "bad-request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "conflict": 409,
    "device-known": 409,
    "device-blocked": 409,
    "device-signed-off": 409,
    "queue-full": 409,
    "illegal-move": 409,
    "too-many-webhooks": 409,
    "too-many-tokens": 409,
    "too-many-people": 409,
    "name-taken": 409,
    "last-admin": 409,
    "model-unknown": 409,
    "cannot-open": 409,
    "no-api-key": 409,
    "no-mail": 409,
    "events-purged": 410,
    "body-too-large": 413,
    "unsupported-encoding": 415,
    "invalid-fields": 422,
    "idempotency-conflict": 422,
    "too-many-tests": 429,
    "unavailable": 503,
    "outcome-in-doubt": 503,
}
"""The status code of each kind of error; a client sees the kind as the ``type`` of the problem."""

_LIBRARY: tuple[tuple[type[BaseException], str], ...] = (
    (TooManyValues, "body-too-large"),
    (UnreadableBody, "bad-request"),
    (NotFound, "not-found"),
    (MethodNotAllowed, "method-not-allowed"),
)
"""The kinds of errors that are not of the domain; a subclass stands before its base class."""

SERVICE_UNAVAILABLE = 503

_SECRET = re.compile(rb"(/d/+)[^/]+")
"""The secret in a path of the device port."""

_LOGGED_CHARACTERS = 300
"""How much of each line that may contain what a client sent is logged."""

_LOGGED_LINES = 200

_DETAILS = {404: "There is nothing at this path.", 405: "This method is not allowed here."}

_log = Logger()
_log_limit = LogLimit(time.monotonic)


def set_error_status(request: Request, failure: Failure) -> int:
    """Set the status code for a failure, and return it; an unexpected one is a 500 and logged with its traceback."""
    code = _code(failure.value)
    if code is None:
        log_failure("Unexpected error in a request", request, failure)
        code = 500
    if code == SERVICE_UNAVAILABLE and not errors.is_logged(failure.value) and _may_log():
        method, path = _shown(request)
        _log.error(
            "Request answered with 503: {method} {path}: {error}",
            method=method,
            path=path,
            error=failure.getErrorMessage(),
        )
    if allowed := _allowed(failure.value):
        request.setHeader(b"Allow", allowed.encode("ascii"))
    request.setResponseCode(code)
    return code


def _allowed(error: BaseException | None) -> str:
    """The methods that a path has, if an error says that it lacks one."""
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        return ", ".join(sorted(error.valid_methods))
    return ""


def log_failure(what: str, request: Request, failure: Failure) -> None:
    """Log a failure with its traceback, and the request; all that a client may have sent is escaped and cut."""
    if not _may_log():
        return
    method, path = _shown(request)
    shown = _PrintableFailure(failure.value, failure.type, failure.tb)
    _log.failure("{what}: {method} {path}", shown, what=what, method=method, path=path)


def _shown(request: Request) -> tuple[str, str]:
    """The method and the path of a request for the log, escaped and cut, and without a secret."""
    sent = request.method, _SECRET.sub(rb"\1...", request.path)
    method, path = (shortened(each.decode("latin-1"), _LOGGED_CHARACTERS) for each in sent)
    return method, path


def _may_log() -> bool:
    if not _log_limit.allows():
        return False
    if dropped := _log_limit.take_dropped():
        _log.error("Errors of requests not logged: {dropped}, because they were too many", dropped=dropped)
    return True


class _PrintableFailure(Failure):
    """A failure whose message may be what a client sent."""

    def getTraceback(self, *args: Any, **kwargs: Any) -> str:
        lines = super().getTraceback(*args, **kwargs).rstrip("\n").split("\n")
        cut = lines[:_LOGGED_LINES] + lines[-1:] if len(lines) > _LOGGED_LINES + 1 else lines
        return "\n".join(shortened(line, _LOGGED_CHARACTERS) for line in cut) + "\n"


def _code(error: BaseException | None) -> int | None:
    if isinstance(error, HTTPException):
        return error.code
    return STATUS.get(error_kind(error))


def error_kind(error: BaseException | None) -> str:
    """The kind of an error, as in :data:`STATUS`; ``about:blank`` if it has none."""
    if isinstance(error, errors.PushdError):
        return error.kind
    return next((kind for known, kind in _LIBRARY if isinstance(error, known)), errors.PushdError.kind)


def error_detail(failure: Failure) -> str:
    """One sentence for the client; it tells nothing of the server's internals."""
    error = failure.value
    if isinstance(error, errors.PushdError | UnreadableBody):
        return str(error)
    if allowed := _allowed(error):
        return f"This method is not allowed here; allowed: {allowed}."
    if isinstance(error, HTTPException):
        return _DETAILS.get(error.code or 0, error.name)
    return "Internal server error; the server's log has the details."
