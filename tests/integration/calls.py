"""An HTTP client over real sockets."""

import json
import weakref
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from socket import create_connection, socket
from ssl import SSLContext

from attrs import define, frozen

from tests.connection import Response

HOST = "127.0.0.1"

TIMEOUT = 60.0
"""Seconds that a test waits for anything, long enough for a busy machine."""


@define(eq=False)
class Call:
    """A request that was sent, and whose answer was not read yet."""

    _connection: HTTPConnection

    def __attrs_post_init__(self) -> None:
        weakref.finalize(self, self._connection.close)  # what a failed test leaves must not fail another one

    def answer(self) -> Response:
        """Wait for the answer."""
        with closing(self._connection):
            response = self._connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Response(code=response.status, headers=headers, body=response.read())

    def hang_up(self) -> None:
        """Close the connection without waiting for the answer."""
        self._connection.close()


@frozen
class Port:
    """A port of the server, with the token and the TLS settings that requests use."""

    number: int
    token: str | None = None
    tls: SSLContext | None = None

    def begin(self, line: str, body: object = None, **headers: str) -> Call:
        """Send a request such as ``GET /push?deviceId=7``, with a body of bytes or JSON if given; do not wait."""
        method, _, path = line.partition(" ")
        connection = self._connection()
        connection.request(method, path, _content(body), {**self._authorization(), **headers})
        return Call(connection)

    def ask(self, line: str, body: object = None, **headers: str) -> Response:
        """Send a request and wait for its answer."""
        return self.begin(line, body, **headers).answer()

    def connect(self) -> socket:
        """Open a connection over which a test sends bytes itself."""
        return create_connection((HOST, self.number), TIMEOUT)

    def _connection(self) -> HTTPConnection:
        if self.tls is None:
            return HTTPConnection(HOST, self.number, timeout=TIMEOUT)
        return HTTPSConnection(HOST, self.number, timeout=TIMEOUT, context=self.tls)

    def _authorization(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


def _content(body: object) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body).encode()
