"""
Answers: a body with its length, never cached.
"""

from twisted.web.iweb import IRequest

JSON = b"application/json"


def answer(request: IRequest, body: bytes, content_type: bytes | None = JSON) -> bytes:
    """
    Announce a whole body, so that none is chunked and an empty one says ``Content-Length: 0``.

    Every answer forbids caches: a cached poll would run a command twice.
    """
    headers = request.responseHeaders
    headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    headers.setRawHeaders(b"cache-control", [b"no-store"])
    headers.setRawHeaders(b"server", [b"pushd"])
    if content_type is None or not body:
        headers.removeHeader(b"content-type")
    else:
        headers.setRawHeaders(b"content-type", [content_type])
    return body
