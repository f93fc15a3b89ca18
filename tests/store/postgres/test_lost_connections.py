"""Tests of a database that cannot be reached, or is lost in the middle of a transaction."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from time import monotonic
from typing import Any

import psycopg
import pytest
import pytest_twisted  # type: ignore[import-untyped]
from attrs import define, field
from psycopg.pq.abc import PGresult
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from pushd.model.errors import OutcomeInDoubt, Unavailable
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import State
from pushd.store.postgres import connection as groups
from pushd.store.postgres import doubt
from pushd.store.postgres.pipeline import Request, exchange_results
from pushd.store.postgres.session import MAX_BACKOFF, Connection, SessionOptions
from pushd.store.postgres.store import PostgresStore
from tests.postgres import ReusedDatabase
from tests.store.clock import new_postgres_store, when
from tests.store.reactor import ReactorWithManualClock
from tests.store.samples import LIMIT, OTHER_READER, READER, at, command_id, draft
from tests.store.steps import claim, put, send, state

END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'pushd/a' AND datname = current_database()"
)


@pytest.fixture
def store(postgres_database: ReusedDatabase) -> Iterator[PostgresStore]:
    """An open store without threads."""
    postgres_database.restore("two_devices")
    store = new_postgres_store(postgres_database.url)
    store.open()
    yield store
    pytest_twisted.blockon(store.close())


class Loss:
    """Loses the connection once when a transaction is to be committed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, reaches_server: bool) -> None:
        self.happened = False

        def lose(connection: Connection, requests: Sequence[Request]) -> list[PGresult]:
            if self.happened:
                return exchange_results(connection, requests)
            assert requests[-1].sql == b"COMMIT"
            self.happened = True
            if reaches_server:
                exchange_results(connection, requests)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(groups, "exchange_results", lose)


@pytest.mark.parametrize("reaches_server", [True, False])
async def test_a_commit_whose_answer_is_lost_is_looked_up(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, reaches_server: bool
) -> None:
    """It was done, or it is done again; in both cases it is there once, and the sender learns so."""
    events: list[Any] = []
    store.subscribe(events.append)
    loss = Loss(monkeypatch, reaches_server=reaches_server)
    command, is_new = await store.put(draft(), False, LIMIT)
    assert loss.happened
    assert is_new
    assert [event.command for event in events] == [command.id]
    assert store.has_queued(READER)
    claimed = await claim(store)
    assert claimed is not None
    assert claimed.command == command.id
    assert await claim(store) is None


async def test_a_commit_that_cannot_be_looked_up_is_in_doubt(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says that it may be stored; memory learns what is there when the database is back."""
    await store.check()
    monkeypatch.setattr(doubt, "SECONDS", 0.3)
    Loss(monkeypatch, reaches_server=True)
    connect = SessionOptions.connect

    def fail(options: SessionOptions) -> Any:
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(SessionOptions, "connect", fail)
    with pytest.raises(OutcomeInDoubt, match="It may be stored or not") as doubtful:
        await store.put(draft(), False, LIMIT)
    assert doubtful.value.is_logged
    monkeypatch.setattr(SessionOptions, "connect", connect)
    assert store.has_queued(READER)
    assert await claim(store) is not None


@pytest.mark.parametrize("reaches_server", [True, False])
async def test_a_claim_in_doubt_is_taken_back(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, reaches_server: bool
) -> None:
    """It was never sent: once the database is back, its command is queued as before, and sent as its first attempt."""
    await put(store, 1)
    monkeypatch.setattr(doubt, "SECONDS", 0.3)
    Loss(monkeypatch, reaches_server=reaches_server)
    connect = SessionOptions.connect

    def fail(options: SessionOptions) -> Any:
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(SessionOptions, "connect", fail)
    with pytest.raises(OutcomeInDoubt):
        await claim(store)
    monkeypatch.setattr(SessionOptions, "connect", connect)
    session = store._writer.groups.connection.session  # type: ignore[attr-defined]
    session.clock = lambda: monotonic() + MAX_BACKOFF
    await put(store, 2, name=OTHER_READER)
    assert await state(store, 1) is State.QUEUED
    claimed = await claim(store)
    assert claimed is not None
    assert (claimed.command, claimed.attempt) == (command_id(1), 1)


async def test_a_sweep_in_doubt(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails as any other operation does, and is known as an outage."""
    await send(store, 1)
    monkeypatch.setattr(doubt, "SECONDS", 0.0)
    Loss(monkeypatch, reaches_server=True)
    with pytest.raises(OutcomeInDoubt):
        await when(store, at(61)).lapse(10)


async def test_a_claim_in_doubt_is_taken_back_at_once(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the database answers, nothing else has to be committed before its command is queued again."""
    await put(store, 1)
    events: list[Event] = []
    store.subscribe(events.append, EventType.COMMAND_QUEUED)
    monkeypatch.setattr(doubt, "SECONDS", 0.0)
    Loss(monkeypatch, reaches_server=True)
    with pytest.raises(OutcomeInDoubt):
        await claim(store)
    assert [event.data["reason"] for event in events] == ["unsent"]
    assert await state(store, 1) is State.QUEUED


async def test_a_claim_in_doubt_is_taken_back_when_the_database_is_back(
    postgres_database: ReusedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again and again, while nothing else is committed."""
    postgres_database.restore("two_devices")
    reactor = RetryingReactor()
    store = new_postgres_store(postgres_database.url, reactor)
    store.open()
    taken_back: Deferred[Event] = Deferred()
    await put(store, 1)
    store.subscribe(taken_back.callback, EventType.COMMAND_QUEUED)
    monkeypatch.setattr(doubt, "SECONDS", 0.0)
    connect = SessionOptions.connect

    def fail(options: SessionOptions) -> Any:
        raise psycopg.OperationalError("connection refused")

    Loss(monkeypatch, reaches_server=True)
    monkeypatch.setattr(SessionOptions, "connect", fail)
    with pytest.raises(OutcomeInDoubt):
        await claim(store)
    await reactor.retried
    monkeypatch.setattr(SessionOptions, "connect", connect)
    assert (await taken_back).data["reason"] == "unsent"
    await store.close()


@define(eq=False)
class RetryingReactor(ReactorWithManualClock):
    """A reactor that tells a test when something is tried again."""

    retried: Deferred[None] = field(factory=Deferred)

    def callLater(self, delay: float, call: Callable[..., Any], *args: Any) -> Any:
        """Call at once."""
        if delay and not self.retried.called:
            self.retried.callback(None)
        return super().callLater(0, call, *args)


async def test_a_database_that_is_away_is_an_error_until_it_is_back(
    store: PostgresStore, postgres_database: ReusedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored meanwhile; the log says once that it is away, and once that it is back."""
    seconds = 0.0
    session = store._writer.groups.connection.session  # type: ignore[attr-defined]
    session.clock = lambda: seconds
    connect = SessionOptions.connect

    def fail(options: SessionOptions) -> Any:
        raise psycopg.OperationalError("connection refused")

    with capturedLogs() as logged:
        await put(store, 1)
        monkeypatch.setattr(SessionOptions, "connect", fail)
        with closing(psycopg.connect(postgres_database.url, autocommit=True)) as other:
            other.execute(END_SESSIONS)
        for _ in range(3):
            with pytest.raises(Unavailable, match="cannot be reached: connection refused") as refused:
                await store.put(draft(), False, LIMIT)
            assert refused.value.is_logged
        monkeypatch.setattr(SessionOptions, "connect", connect)
        with pytest.raises(Unavailable):  # an attempt for each request would only add to the trouble
            await store.put(draft(), False, LIMIT)
        seconds = 10.0
        await put(store, 5)
    assert await state(store, 5) is not None
    assert store.queue_depth(READER).queue == 2
    said = [formatEvent(event) for event in logged]
    assert [line[:27] for line in said] == ["Unable to write to the data", "The database can be written"]


async def test_a_session_that_was_ended_is_opened_again(
    store: PostgresStore, postgres_database: ReusedDatabase
) -> None:
    """As after a restart of the database: neither writers nor readers notice."""
    await put(store, 1)
    assert (await store.command(command_id(1))).id == command_id(1)
    with closing(psycopg.connect(postgres_database.url, autocommit=True)) as other:
        other.execute(END_SESSIONS)
    assert (await store.command(command_id(1))).id == command_id(1)
    await put(store, 2)
    assert store.queue_depth(READER).queue == 2
