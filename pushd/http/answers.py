"""Answers: a body, and what it is."""

from pushd.http.request import HouseRequest

JSON = b"application/json"


def answer(request: HouseRequest, body: bytes, content_type: bytes = JSON) -> bytes:
    """A whole body, and what it is; an empty one is nothing."""
    request.content_type = content_type if body else None
    return body
