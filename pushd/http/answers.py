"""Answers: a body, and what it is."""

from pushd.http.request import Request

JSON = b"application/json"


def answer(request: Request, body: bytes, content_type: bytes = JSON) -> bytes:
    """A whole body, and what it is; an empty one is nothing."""
    request.content_type = content_type if body else None
    return body
