"""Several servers on one database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
from attrs import define, field

from tests.integration.calls import Call
from tests.integration.server import OPEN, Server, until
from tests.postgres import PostgresServer

READER = "controlid:7"
POLL = "GET /push?deviceId=7&uuid="


@define(eq=False)
class Cluster:
    """Nodes on one database."""

    server: PostgresServer
    url: str
    folder: Path
    admin: "psycopg.Connection[Any]"
    nodes: list[Server] = field(factory=list)
    polls: list[Call] = field(factory=list)
    """Polls that are still held when the test ends."""

    def start(self, variables: Mapping[str, str] = MappingProxyType({})) -> Server:
        """Start a node, with variables that are added to its environment."""
        folder = self.folder / str(len(self.nodes))
        folder.mkdir()
        node = Server(folder, (*OPEN, "--hold=controlid=50", f"--store={self.url}"), variables=variables)
        if self.nodes:  # any token works on every node
            node.data_dir.mkdir()
            (node.data_dir / "admin.token").write_text(self.nodes[0].token)
        self.nodes.append(node)
        return node.start()

    def hold_poll(self, node: Server) -> Call:
        """Have the device poll at a node, which then serves it."""
        call = node.devices.begin(f"{POLL}u1")
        self.polls.append(call)
        until(lambda: self.serving == self.name(node), "the node serves the device")
        return call

    def read(self, sql: str) -> Any:
        """The only value that a statement returns."""
        return self.admin.execute(sql.encode()).fetchone()

    def name(self, node: Server) -> str:
        """The name of a node."""
        name: str = node.admin.ask("GET /v1/info").json["node"]
        return name

    @property
    def serving(self) -> str | None:
        """The node that serves the device."""
        found: str | None = self.read("SELECT max(node) FROM sighting")
        return found

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """End all sessions of the nodes, and let them open none."""
        with self.no_new_sessions():
            self.end_sessions("application_name LIKE 'pushd/%'")
            yield

    @contextmanager
    def no_new_sessions(self) -> Iterator[None]:
        """Let nodes open no sessions."""
        name = self.read("SELECT current_database()")
        allow = f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {{}}'
        with psycopg.connect(self.server.url, autocommit=True) as other:  # it cannot be done from within
            other.execute(allow.format("false").encode())
            try:
                yield
            finally:
                other.execute(allow.format("true").encode())

    def end_sessions(self, which: str) -> int:
        """End sessions with the database; how many they were."""
        return self.admin.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}"
            " AND datname = current_database() AND pid <> pg_backend_pid()".encode()
        ).rowcount

    def end_listener(self, node: Server) -> None:
        """End the session in which a node listens: the one that notifies itself each second."""
        which = f"application_name = 'pushd/{self.name(node)}' AND query LIKE 'NOTIFY pushd_echo%'"
        until(lambda: self.end_sessions(which), "it is found")


def alerts(node: Server) -> list[dict[str, Any]]:
    """All alerts that there have been."""
    found: list[dict[str, Any]] = node.admin.ask("GET /v1/alerts").json["items"]
    return found


def presence_events(node: Server) -> list[str]:
    """The events of devices that came online or went offline."""
    events = node.admin.ask("GET /v1/events?type=device.online,device.offline&limit=500").json["items"]
    return [event["type"] for event in events]
