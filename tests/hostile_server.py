"""An HTTP server for tests, in threads of its own, that sends what no client should read to its end."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import Any

from attrs import define, field
from twisted.internet.task import deferLater

TIMEOUT = 30.0
"""Seconds in which a server must notice that its client has closed the connection."""


@define(eq=False)
class HostileServer:
    """Answers each request with ``answer``, then sends ``endless`` for ever, or does nothing, until the client closes
    the connection.
    """

    answer: bytes
    endless: bytes = b""
    tls: ssl.SSLContext | None = None
    connections: int = 0
    sent: int = 0
    """Bytes of ``endless``."""
    closed: Event = field(factory=Event)
    """Whether a client has closed its connection."""

    @contextmanager
    def running(self) -> Iterator[str]:
        """Listen; the URL."""
        with closing(socket.create_server(("127.0.0.1", 0))) as listening:
            Thread(target=self._accept, args=(listening,), daemon=True).start()
            yield f"{'http' if self.tls is None else 'https'}://localhost:{listening.getsockname()[1]}/"

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(TIMEOUT)
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection if self.tls is None else self.tls.wrap_socket(connection, server_side=True) as wrapped:
            try:
                self._answer(wrapped)
            except TimeoutError:
                return
            except OSError:
                pass
            self.closed.set()

    def _answer(self, connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(self.answer)
            while self.endless:
                connection.sendall(self.endless)
                self.sent += len(self.endless)
        while self.tls is not None:  # the client has ended TLS; this server does not
            connection.sendall(b"x")

    async def wait_closed(self) -> None:
        """Wait until a client has closed its connection."""
        for _ in range(int(TIMEOUT / 0.02)):
            if self.closed.is_set():
                return
            await deferLater(reactor_in_use(), 0.02)
        raise AssertionError("the connection is still open")


def reactor_in_use() -> Any:
    """The reactor of this process."""
    from twisted.internet import reactor

    return reactor


HEADERS = b"X-Name: " + b"v" * 1000 + b"\r\n"
"""A header that a server sends for ever."""
