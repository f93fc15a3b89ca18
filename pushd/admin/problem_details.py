"""Errors as ``application/problem+json`` (RFC 9457), with pointers to the fields that are wrong."""

from http import HTTPStatus
from math import ceil
from typing import Any

from twisted.python.failure import Failure

from pushd.http.error_status import error_detail, error_kind, set_error_status
from pushd.http.request import Request
from pushd.lib import strict_json
from pushd.model.admin_api import PROBLEM_TYPE
from pushd.model.errors import EventsPurged, InvalidFields, TooManyTests


def problem(request: Request, failure: Failure) -> bytes:
    """The body of the response to a request that failed; sets its status and headers."""
    code = set_error_status(request, failure)
    if code == HTTPStatus.UNAUTHORIZED:
        request.setHeader(b"WWW-Authenticate", b'Bearer realm="pushd"')
    body: dict[str, Any] = {"type": error_kind(failure.value), "title": HTTPStatus(code).phrase, "status": code}
    body["detail"] = error_detail(failure)
    if isinstance(failure.value, TooManyTests):
        request.setHeader(b"Retry-After", b"%d" % ceil(failure.value.retry_after))
    if isinstance(failure.value, InvalidFields):
        body["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in failure.value.errors]
    if isinstance(failure.value, EventsPurged):
        body["oldest"] = failure.value.oldest_id
    request.content_type = PROBLEM_TYPE.encode()
    return strict_json.write(body).encode()
