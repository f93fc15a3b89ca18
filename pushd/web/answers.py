"""
Answers: a body with its length.
"""

from twisted.web.http import NO_CONTENT

from pushd.web.site import HouseRequest

JSON = b"application/json"


def answer(request: HouseRequest, body: bytes, content_type: bytes | None = JSON) -> bytes:
    """
    Announce a whole body, so that none is chunked and an empty one says ``Content-Length: 0``.
    """
    headers = request.responseHeaders
    if request.code != NO_CONTENT:  # which must not have one (RFC 9110 section 8.6)
        headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    headers.setRawHeaders(b"server", [b"pushd"])
    if content_type is None or not body:
        headers.removeHeader(b"content-type")
    else:
        headers.setRawHeaders(b"content-type", [content_type])
    return body
