"""A client of server-sent events as the standard defines it (WHATWG HTML, "Server-sent events")."""

import json
import re
from typing import Any

from attrs import Factory, define, frozen

from tests.connection import Connection

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n)")


@frozen(kw_only=True)
class Message:
    """One event; ``id`` is the last event id at its dispatch."""

    id: str
    type: str
    data: str

    @property
    def json(self) -> Any:
        """The JSON value of its data."""
        return json.loads(self.data)


@define(eq=False)
class Parser:
    """Parses a stream of bytes into messages."""

    last_id: str = ""
    retry: int | None = None
    """The reconnection time that the server asked for, in milliseconds."""
    messages: list[Message] = Factory(list)
    comments: int = 0
    _unread: bytes = b""
    _id: str = ""
    _type: str = ""
    _data: list[str] = Factory(list)

    def feed(self, data: bytes) -> None:
        """Parse more bytes of the stream; they may end anywhere."""
        self._unread += data
        while match := _LINE.match(self._unread):
            self._unread = self._unread[match.end() :]
            self._line(match[1].decode())

    def _line(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self._dispatch()
        elif not name:
            self.comments += 1
        elif name == "id":
            self._id = value
        elif name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "retry":
            self.retry = int(value)

    def _dispatch(self) -> None:
        self.last_id = self._id or self.last_id
        if self._data:
            self.messages.append(Message(id=self.last_id, type=self._type, data="\n".join(self._data)))
        self._type, self._data = "", []


@define(eq=False)
class EventStream:
    """The event stream in the response to a request on a connection."""

    connection: Connection
    head: str = ""
    parser: Parser = Factory(Parser)
    ended: bool = False
    """Whether the response is complete."""
    _unread: bytes = b""

    def read(self) -> list[Message]:
        """The messages that have arrived since the last call."""
        self._arrive()
        messages, self.parser.messages = self.parser.messages, []
        return messages

    def types(self) -> list[str]:
        """The types of the messages that have arrived since the last call."""
        return [message.type for message in self.read()]

    def pause(self) -> None:
        """Let the client read no more, so that the server cannot send."""
        self._producer().pauseProducing()

    def resume(self) -> None:
        """Let the client read again."""
        self._producer().resumeProducing()

    def was_aborted(self) -> bool:
        """Whether the server aborted the connection."""
        return bool(self.connection.transport.disconnected)

    def _producer(self) -> Any:
        return self.connection.transport.producer

    def _arrive(self) -> None:
        transport = self.connection.transport
        self._unread += transport.value()
        transport.clear()
        if not self.head and b"\r\n\r\n" in self._unread:
            head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            self.head = head.decode("ascii")
        if "Transfer-Encoding: chunked" in self.head:
            self._dechunk()
        else:
            self.parser.feed(self._unread)
            self._unread = b""

    def _dechunk(self) -> None:
        while b"\r\n" in self._unread:
            size, _, rest = self._unread.partition(b"\r\n")
            length = int(size, 16)
            assert len(rest) >= length + 2, "a chunk must be whole"
            self.parser.feed(rest[:length])
            self._unread = rest[length + 2 :]
            self.ended = length == 0
