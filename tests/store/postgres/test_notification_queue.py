"""Tests of the alert that PostgreSQL's notification queue fills up, because a session does not read it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import psycopg
import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, evolve, field

from pushd.model.alert import Alert, AlertKind
from pushd.store.filters import AlertFilter
from pushd.store.postgres.inspection import find_violations
from pushd.store.postgres.store import PostgresStore
from tests.integration.server import until
from tests.postgres import ReusedDatabase
from tests.store.clock import new_postgres_store
from tests.store.outages import RULES

PAGES = 1024 * 1024
"""How many pages of 8 KiB the queue has, unless ``max_notify_queue_pages`` says otherwise."""

UNREAD = 200
"""Pages that a test leaves unread."""

FEWER = evolve(RULES, notification_queue=UNREAD / 2 / PAGES)
"""Rules by which these are enough for an alert."""

_SEND = "SELECT pg_notify('elsewhere', rpad(number::text, 7900)) FROM generate_series(1, %s) AS number"


@define(eq=False)
class Queue:
    """The notification queue, and a session that listens."""

    nodes: Sequence[PostgresStore]
    url: str
    listening: "psycopg.Connection[Any]" = field(init=False)

    @listening.default
    def _listen(self) -> "psycopg.Connection[Any]":
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("LISTEN elsewhere")
        return connection

    def fill(self) -> None:
        """The session stays in a transaction while many large notifications are sent."""
        self.listening.execute("BEGIN")
        with closing(psycopg.connect(self.url, autocommit=True)) as sender:
            sender.execute(_SEND, (UNREAD,))

    def end_session(self) -> None:
        """End the session, and wait until the other sessions that listen have read on."""
        self.listening.close()
        with closing(psycopg.connect(self.url, autocommit=True)) as admin:
            until(lambda: self._usage(admin) < FEWER.notification_queue / 2, "the queue is read")

    def _usage(self, admin: "psycopg.Connection[Any]") -> float:
        row = admin.execute("SELECT pg_notification_queue_usage()").fetchone()
        assert row is not None
        return float(row[0])

    async def alerts(self) -> Sequence[Alert]:
        """All alerts, after each node has raised those that are due."""
        for node in self.nodes:
            await node.raise_alerts(FEWER, 10)
        found: Sequence[Alert] = await self.nodes[0].alerts(AlertFilter(), None, 10)
        return found


@pytest.fixture
def queue(postgres_database: ReusedDatabase) -> Iterator[Queue]:
    """The queue of a server with two nodes."""
    postgres_database.restore("two_devices")
    nodes = [new_postgres_store(postgres_database.url, node=name) for name in "ab"]
    for node in nodes:
        node.open()
    queue = Queue(nodes, postgres_database.url)
    yield queue
    queue.listening.close()
    for node in nodes:
        pytest_twisted.blockon(node.close())


async def test_a_session_that_does_not_read_its_notifications_is_one_alert(queue: Queue) -> None:
    """Of all nodes, one raises one alert, which is cleared when the session has ended."""
    assert await queue.alerts() == []
    queue.fill()
    [raised] = await queue.alerts()
    assert (raised.kind, raised.count, raised.cleared_at) == (AlertKind.NOTIFICATION_QUEUE, 0, None)
    queue.end_session()
    [cleared] = await queue.alerts()
    assert (cleared.id, cleared.cleared_at is None) == (raised.id, False)
    assert find_violations(queue.url) == []


async def test_an_alert_that_is_almost_over_stays_open(queue: Queue) -> None:
    """It is not cleared and raised again while the queue grows and shrinks a little around the limit."""
    queue.fill()
    await queue.alerts()
    [store, _] = queue.nodes
    await store.raise_alerts(evolve(RULES, notification_queue=1.5 * UNREAD / PAGES), 10)
    [alert] = await store.alerts(AlertFilter(), None, 10)
    assert alert.cleared_at is None


async def test_a_healthy_queue_is_no_alert(queue: Queue) -> None:
    """By the rules that servers go by, some notifications that are not read yet are nothing to see to."""
    queue.fill()
    [store, _] = queue.nodes
    await store.raise_alerts(RULES, 10)
    assert await store.alerts(AlertFilter(), None, 10) == []
