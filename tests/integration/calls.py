"""Calls over real sockets: requests that wait for their answers, as ``curl`` does."""

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from socket import create_connection, socket
from ssl import SSLContext

from attrs import define, frozen

from tests.connection import Response

HOST = "127.0.0.1"

PATIENCE = 20.0
"""Seconds in which everything that a test waits for should have come."""


@define(eq=False)
class Call:
    """A request that was sent; its answer may take its time."""

    _connection: HTTPConnection

    def answer(self) -> Response:
        """Wait for the answer."""
        with closing(self._connection):
            response = self._connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Response(code=response.status, headers=headers, body=response.read())

    def hang_up(self) -> None:
        """Wait no longer."""
        self._connection.close()


@frozen
class Port:
    """A port of the server, as a client sees it."""

    number: int
    token: str | None = None
    tls: SSLContext | None = None

    def begin(self, line: str, body: object = None, **headers: str) -> Call:
        """Send a request such as ``GET /push?deviceId=7``, with JSON or bytes as its body if there is one."""
        method, _, path = line.partition(" ")
        connection = self._connection()
        connection.request(method, path, _content(body), {**self._authorization(), **headers})
        return Call(connection)

    def ask(self, line: str, body: object = None, **headers: str) -> Response:
        """Send a request, and wait for its answer."""
        return self.begin(line, body, **headers).answer()

    def connect(self) -> socket:
        """A connection for bytes that are no whole request."""
        return create_connection((HOST, self.number), PATIENCE)

    def _connection(self) -> HTTPConnection:
        if self.tls is None:
            return HTTPConnection(HOST, self.number, timeout=PATIENCE)
        return HTTPSConnection(HOST, self.number, timeout=PATIENCE, context=self.tls)

    def _authorization(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


def _content(body: object) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body).encode()
