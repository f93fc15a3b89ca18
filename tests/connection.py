"""A client's end of a connection, in bytes: requests as they are sent, answers as they are read."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from attrs import define, frozen
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

CHUNK = 64 * 1024
"""Bytes that arrive at once."""


@frozen(kw_only=True)
class Answer:
    """One answer as it was read from a connection; names of headers are in lower case."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The value of its JSON body."""
        return json.loads(self.body)

    def problem(self, code: int) -> Any:
        """The value of its body, which must be a problem in the form of RFC 9457."""
        assert self.code == code, self.body
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["cache-control"] == "no-store"
        found = self.json
        assert (found["status"], found["title"]) == (code, HTTPStatus(code).phrase)
        assert found["type"]
        assert found["detail"]
        return found


@define(eq=False)
class Connection:
    """A client's end of a connection."""

    protocol: IProtocol
    transport: StringTransport
    _unread: bytes = b""
    _open: bool = True
    _heads_only: bool = False

    def send(self, data: bytes) -> None:
        """Let bytes arrive, piece by piece."""
        self._heads_only = data.startswith(b"HEAD ")
        for start in range(0, len(data), CHUNK):
            self.protocol.dataReceived(data[start : start + CHUNK])

    def answers(self) -> list[Answer]:
        """What was answered since the last time that somebody asked."""
        self._unread += self.transport.value()
        self.transport.clear()
        found = []
        while self._unread:
            answer, self._unread = _read_answer(self._unread, self._heads_only)
            found.append(answer)
        return found

    def answer(self) -> Answer:
        """The one answer that is there."""
        (found,) = self.answers()
        return found

    @property
    def closed_by_server(self) -> bool:
        """Whether the server closes it."""
        return bool(self.transport.disconnecting)

    def hang_up(self) -> None:
        """Close it, if it is open."""
        if self._open:
            self._open = False
            self.protocol.connectionLost(Failure(ConnectionDone()))


_BODILESS = (100, 204)


def _read_answer(data: bytes, heads_only: bool) -> tuple[Answer, bytes]:
    """The first answer in some bytes, which must tell its length, and the rest."""
    head, _, rest = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    code = int(status.split(" ")[1])
    assert "transfer-encoding" not in headers, "an answer must not be chunked"
    length = 0 if code in _BODILESS else int(headers["content-length"])
    if heads_only:
        length = 0
    assert len(rest) >= length, "an answer must be whole"
    return Answer(code=code, headers=headers, body=rest[:length]), rest[length:]


def request(line: str, body: bytes = b"", *headers: str) -> bytes:
    """The bytes of a request such as ``GET /push?deviceId=7``."""
    lines = [f"{line} HTTP/1.1", "Host: pushd.example", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
