"""The error table: what each of our errors is in HTTP."""

import re

from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from pushd.http.request import Request
from pushd.lib.strict_json import UnreadableBody
from pushd.model import errors

STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (errors.InvalidFields, 422),
    (errors.KeyReused, 422),
    (errors.InvalidQuery, 400),
    (UnreadableBody, 400),
    (errors.BodyTooLarge, 413),
    (errors.NotAuthenticated, 401),
    (errors.NotPermitted, 403),
    (errors.UnknownDevice, 404),
    (errors.UnknownAlert, 404),
    (errors.UnknownCommand, 404),
    (errors.UnknownWebhook, 404),
    (errors.EventsPurged, 410),
    (errors.Conflict, 409),
    (errors.Unavailable, 503),
)
"""Specific first."""

SERVICE_UNAVAILABLE = 503

_SECRET = re.compile(rb"(/d/+)[^/]+")
"""The secret in a path of the device port."""

_log = Logger()


def status(request: Request, failure: Failure) -> int:
    """Set the response code that a failure calls for; one that is a bug of ours goes to the log, and is a 500."""
    code = _code(failure.value)
    if code is None:
        path = _SECRET.sub(rb"\1...", request.path)
        _log.failure("A request failed: {method} {path}", failure, method=request.method, path=path)
        code = 500
    if code == SERVICE_UNAVAILABLE:
        _log.error("A request could not be served: {error}", error=failure.getErrorMessage())
    if isinstance(failure.value, MethodNotAllowed) and failure.value.valid_methods:
        allowed = sorted(set(failure.value.valid_methods) - {"HEAD"})
        request.setHeader(b"Allow", ", ".join(allowed).encode("ascii"))
    request.setResponseCode(code)
    return code


def _code(error: BaseException | None) -> int | None:
    if isinstance(error, HTTPException):
        return error.code
    return next((code for kind, code in STATUS if isinstance(error, kind)), None)


def explain(failure: Failure) -> str:
    """One sentence for a person; nothing of our inside."""
    error = failure.value
    if isinstance(error, errors.PushdError | UnreadableBody):
        return str(error)
    if isinstance(error, HTTPException):
        return _WORDS.get(error.code or 0, error.name)
    return "Something went wrong here; the server's log tells more."


_WORDS = {404: "There is nothing at this path.", 405: "This method is not allowed here."}
