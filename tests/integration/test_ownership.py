"""Tests of webhooks of several servers on one database."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from tests.integration.server import OPEN, Server, until
from tests.integration.test_webhooks import ALLOWED, DEVICES, Receiver, register, registered, subscribe
from tests.postgres import PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def nodes(url: str, tmp_path: Path) -> Iterator[list[Server]]:
    """Two nodes."""
    servers: list[Server] = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        server = Server(tmp_path / name, (*OPEN, ALLOWED, f"--store={url}"))
        if servers:  # any token works on every node
            server.data_dir.mkdir()
            (server.data_dir / "admin.token").write_text(servers[0].token)
        servers.append(server.start())
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts each message."""
    receiver = Receiver()
    receiver.failure_rate = 0.0
    thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield receiver
    receiver.shutdown()
    receiver.server_close()
    thread.join()


def test_the_owner_of_a_webhook_is_killed(nodes: list[Server], url: str, receiver: Receiver) -> None:
    """One node delivers, in order, what happens at both; when it is killed, the other goes on where it was."""
    subscribe(nodes[0], receiver)
    with psycopg.connect(url, autocommit=True) as admin:

        def owner() -> str | None:
            row = admin.execute("SELECT split_part(owner, ' ', 1) FROM webhook").fetchone()
            return row[0] if row is not None else None

        def arrived(node: Server) -> bool:
            return set(receiver.accepted) == set(registered(node))

        until(owner, "a node owns the webhook")
        for number, node in enumerate(nodes):
            register(node, 1 + number * DEVICES)
        until(lambda: arrived(nodes[1]), "all events are accepted")
        [killed] = [node for node in nodes if node.admin.ask("GET /v1/info").json["node"] == owner()]
        [other] = [node for node in nodes if node is not killed]
        before = owner()
        killed.kill()
        register(other, 1 + 2 * DEVICES)
        admin.execute("UPDATE webhook SET owner_until = owner_until - 30000")  # in place of 30 s of waiting
        until(lambda: arrived(other), "all events are accepted")
        assert owner() != before
    assert len(set(receiver.accepted)) == 3 * DEVICES
    assert receiver.in_order
