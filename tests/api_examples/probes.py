"""Calls that fail: for each operation of the API those errors that any call can have."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from pushd.core.tokens import REFUSAL_DELAY
from pushd.model.token import Role
from tests.api_examples.recorder import Recorder, kinds_of, operations
from tests.api_examples.story import UNKNOWN
from tests.in_memory_server import InMemoryServer
from tests.store.failing_commit import FailingCommit

LARGE = 16 * 1024 * 1024
"""More bytes than any body may have."""

UNKNOWN_IDS = defaultdict(lambda: UNKNOWN, device="controlid:404", dialect="unknown")
"""Ids that the server does not know, by parameter of a path."""


@frozen(eq=False)
class Probe:
    """An operation, and something of each kind that a server knows."""

    recorder: Recorder
    method: str
    path: str
    operation: Mapping[str, Any]
    known: Mapping[str, str]
    """By parameter of a path."""

    def line(self, ids: Mapping[str, str]) -> str:
        """The call with these ids."""
        return f"{self.method} {self.path.format_map(ids)}"

    @property
    def body(self) -> Any:
        """A right body, as the document has it; None if there is none."""
        if "requestBody" not in self.operation:
            return None
        schema = self.operation["requestBody"]["content"]["application/json"]["schema"]
        return self.recorder.server.contract.resolved(schema)["examples"][0]

    def all_kinds(self) -> None:
        """Have each of the errors that any call can have."""
        line, token = self.line(self.known), f"Authorization: Bearer {self.recorder.server.token_of(Role.ADMIN)}"
        kinds = {kind for _, kind in kinds_of(self.operation)}
        if "unauthenticated" in kinds:
            connection = self.recorder.server.call(f"{line} HTTP/1.1\r\nHost: pushd.example\r\n\r\n".encode())
            self.recorder.server.clock.advance(REFUSAL_DELAY)
            self.recorder.record(line, connection)
            self.recorder.ask(line, role=Role.DEVICE)
            self.recorder.ask(f"{line}?unknown=1")
        else:
            self.recorder.record(line, self.recorder.server.call(f"{line} HTTP/1.1\r\n\r\n".encode()))
        if "{" in self.path:
            self.recorder.ask(self.line(UNKNOWN_IDS), self.body)
        if "invalid-fields" in kinds:
            self.recorder.ask(line, {"unknown": 1})
            self.recorder.send(line, b"{}", token, "Content-Encoding: gzip")
            self.recorder.send(line, b'{"unknown": "' + b"a" * LARGE + b'"}', token)

    def without_store(self) -> None:
        """Make the call to a server that cannot serve it now."""
        connection = self.recorder.server.begin(self.line(self.known), self.body)
        if connection.transport.value().startswith(b"HTTP/1.1 503"):
            self.recorder.record(self.line(self.known), connection)
        connection.hang_up()


def probes(recorder: Recorder, known: Mapping[str, str]) -> Iterator[Probe]:
    """All operations of a server."""
    for method, path, operation in operations(recorder.server.contract.document):
        yield Probe(recorder, method, path, operation, known)


def cannot_sync(server: InMemoryServer) -> None:
    """Let each commit of a server fail, so that it is not known what is stored."""
    writer: Any = server.store._writer
    writer.connection.connection = FailingCommit(writer.connection.connection)


def is_full(server: InMemoryServer) -> None:
    """Let each commit of a server fail, so that nothing is stored."""
    writer: Any = server.store._writer
    real = writer.connection.connection
    writer.connection.connection = FailingCommit(real, "database or disk is full", sqlite3.SQLITE_FULL)
