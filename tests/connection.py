"""The client's end of an HTTP connection, in bytes: send requests, and parse the responses."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from attrs import define, frozen
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pushd.http.error_status import STATUS

CHUNK = 64 * 1024
"""The largest piece, in bytes, in which data arrives at the server."""


@frozen(kw_only=True)
class Response:
    """A parsed response; the names of its headers are in lower case."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The value of the JSON body."""
        return json.loads(self.body)

    def problem(self, code: int) -> Any:
        """The value of the body, which must be a problem details object (RFC 9457) with this status code."""
        assert self.code == code, self.body
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["cache-control"] == "no-store"
        found = self.json
        assert (found["status"], found["title"]) == (code, HTTPStatus(code).phrase)
        assert STATUS.get(found["type"], HTTPStatus.INTERNAL_SERVER_ERROR) == code
        assert found["detail"]
        return found


@define(eq=False)
class Connection:
    """The client's end of a connection."""

    protocol: IProtocol
    transport: StringTransport
    _unread: bytes = b""
    _open: bool = True
    _head_only: bool = False
    check: Callable[[Response], None] | None = None
    """Checks the next final response."""

    def send(self, data: bytes) -> None:
        """Send bytes, in pieces of at most :data:`CHUNK`."""
        self._head_only = data.startswith(b"HEAD ")
        self.check = None
        for start in range(0, len(data), CHUNK):
            self.protocol.dataReceived(data[start : start + CHUNK])

    def answers(self) -> list[Response]:
        """The responses that have arrived since the last call."""
        self._unread += self.transport.value()
        self.transport.clear()
        found = []
        while self._unread:
            answer, self._unread = _parse_response(self._unread, self._head_only)
            found.append(answer)
            if self.check is not None and answer.code >= HTTPStatus.OK:
                check, self.check = self.check, None
                check(answer)
        return found

    def answer(self) -> Response:
        """The only response that has arrived since the last call."""
        (found,) = self.answers()
        return found

    @property
    def closed_by_server(self) -> bool:
        """Whether the server has closed the connection."""
        return bool(self.transport.disconnecting)

    def hang_up(self) -> None:
        """Close the connection, if it is open."""
        if self._open:
            self._open = False
            self.protocol.connectionLost(Failure(ConnectionDone()))


_CODES_WITHOUT_BODY = (100, 204)


def _parse_response(data: bytes, head_only: bool) -> tuple[Response, bytes]:
    """Parse the first response, which must have a Content-Length; return it and the remaining bytes."""
    head, _, rest = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    code = int(status.split(" ")[1])
    assert "transfer-encoding" not in headers, "the response is chunked"
    length = 0 if code in _CODES_WITHOUT_BODY else int(headers["content-length"])
    if head_only:
        length = 0
    assert len(rest) >= length, "the response is incomplete"
    return Response(code=code, headers=headers, body=rest[:length]), rest[length:]


def request(line: str, body: bytes = b"", *headers: str) -> bytes:
    """The bytes of a request; ``line`` is such as ``GET /push?deviceId=7``, ``headers`` such as ``Accept: */*``."""
    lines = [f"{line} HTTP/1.1", "Host: pushd.example", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
