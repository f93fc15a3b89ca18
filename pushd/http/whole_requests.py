"""Whole requests: read a plain request that has arrived in one piece, as nearly all requests of devices do.

Twisted's parser takes some thirty calls for it. What is not plain is left to that parser, from its first byte on: what
arrives in pieces or with a second request behind it, folded, repeated and uncommon headers, chunked and large bodies,
``Expect``, and whatever is malformed.
"""

import re

from pushd.lib.twisted_patches import RequestHeaders

MAX_HEAD = 8 * 1024
"""Bytes of a head that is read here."""

MAX_BODY_DIGITS = 4
"""Digits of a Content-Length that is read here."""

_HEADERS = {
    spelling.encode(): name.encode()
    for name in (
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Authorization",
        "Cache-Control",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Host",
        "Idempotency-Key",
        "User-Agent",
        "X-Api-Key",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
    )
    for spelling in (name, name.lower())
}
"""By the spellings that clients use: the headers of a plain request, as the server spells them."""

_REQUEST_LINE = re.compile(rb"(GET|POST) (/[!->@-~]*+)(?:\?([!-~]*+))? HTTP/1\.1\r\n")
"""The first line of a plain request (RFC 9112, section 3): method, path, query."""

_HEADER_LINES = re.compile(rb"(?:[A-Za-z-]++: ?[!-~](?>[ -~]*(?<! ))\r\n)*+")
"""The headers of a plain request (RFC 9112, section 5); values are printable ASCII without outer spaces."""

_HEADER = re.compile(rb"([^:]+): ?([^\r]+)\r\n")
"""A header among such lines."""

WholeRequest = tuple[bytes, bytes, bytes, RequestHeaders, bytes]
"""A plain request: method, path, query, headers, body."""

_Head = tuple[RequestHeaders, int]
"""The headers of a plain request, and the length of its body."""

_known: dict[bytes, _Head] = {}
"""What was read lately, by its text: a client sends the same headers with each request. They are never changed."""

MAX_KNOWN = 512
"""How many different headers are kept."""

MAX_KNOWN_SIZE = 1024
"""Bytes of headers that are kept."""

_UNSHARED = frozenset((b"Authorization", b"Idempotency-Key", b"X-Api-Key", b"X-Forwarded-For"))
"""Headers with which none are kept: secrets, and what differs from client to client or from request to request."""


def read_whole(data: bytes) -> WholeRequest | None:
    """Read a plain request that is all of ``data``; None if it is not one."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        return None
    begin = line.end()
    end = data.find(b"\r\n\r\n", begin - 2, MAX_HEAD) + 2  # there may be no header
    if end < begin:
        return None
    lines = data[begin:end]
    head = _known.get(lines) or _read_headers(lines)
    if head is None or end + 2 + head[1] != len(data):
        return None
    method, path, query = line.groups(b"")
    return method, path, query, head[0], data[end + 2 :]


def _read_headers(lines: bytes) -> _Head | None:
    """Read the headers of a plain request; None if they are not such."""
    if not _HEADER_LINES.fullmatch(lines):
        return None
    headers = RequestHeaders()
    for name, value in _HEADER.findall(lines):
        spelling = _HEADERS.get(name)
        if spelling is None or spelling in headers:
            return None
        headers[spelling] = [value]
    length = headers[b"Content-Length"][0] if b"Content-Length" in headers else b"0"
    if len(length) > MAX_BODY_DIGITS or not length.isdigit():
        return None
    head = headers, int(length)
    if len(lines) <= MAX_KNOWN_SIZE and _UNSHARED.isdisjoint(headers):
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        _known[lines] = head
    return head
