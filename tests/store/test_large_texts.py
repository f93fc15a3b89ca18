"""Tests of large texts: they are kept whole, apart from their commands, off the reactor, and not in memory."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]

from pushd.lib.strict_json import LARGE
from pushd.model.command import Command, LargePayload
from pushd.model.errors import Unavailable, UnknownCommand
from pushd.model.large_text import LargeText
from pushd.model.lifecycle import Move, State
from pushd.model.result import Verdict
from pushd.rules.outcomes import Settlement
from pushd.store import large_texts, open_commands
from pushd.store.interface import IStore
from pushd.store.sqlite.store import SqliteStore
from pushd.store.sqlite.transaction import SqliteTransaction
from pushd.store.transaction import ITransaction, Statement
from tests.results import text_of
from tests.store.clock import new_store, when
from tests.store.reactor import ReactorWithManualClock
from tests.store.samples import (
    AT_LEAST_ONCE,
    FAILURE,
    GARBLED,
    LIMIT,
    READER,
    SUCCESS,
    StubResult,
    always_batchable,
    at,
    by_message,
    command_id,
    device,
    draft,
    large_payload,
)
from tests.store.steps import claim, count_rows, get_command, put, send, tamper

_MUTE = Statement("mute a device", "UPDATE device SET muted_until = 1")
SIZE = 3 * LARGE
PAYLOAD = large_payload({"endpoint": "user_set_image", "body": "ä" * SIZE})
RESULT = LargeText.of(('{"response":"%s"}' % ("é" * SIZE)).encode())
OTHER_RESULT = LargeText.of(('{"response":"%s"}' % ("z" * SIZE)).encode())


def given_and_result(command: Command) -> tuple[bytes, str]:
    """The texts of a command with a large payload."""
    assert isinstance(command.payload, LargePayload)
    return command.payload.text.data, text_of(command.result)


async def in_memory(store: IStore, begin: str, do: Callable[[], Awaitable[object]]) -> list[bool]:
    """Of the statements that begin so and are run meanwhile, in order, which have a large value."""
    assert isinstance(store, SqliteStore)
    connection: sqlite3.Connection = store._writer.connection.connection  # type: ignore[attr-defined]
    run: list[str] = []
    connection.set_trace_callback(run.append)
    await do()
    connection.set_trace_callback(None)
    return [len(statement) > SIZE for statement in run if statement.startswith(begin)]


@pytest.mark.parametrize("kind", ["memory"])
async def test_sqlite_keeps_no_copy(store: IStore) -> None:
    """The statement that stores a large text is run again without it, and then stores nothing."""
    stored = await in_memory(store, "INSERT INTO large_text", lambda: put(store, 1, payload=PAYLOAD))
    assert stored == [False, True, False, True, False]  # the outline, the payload and what is sent
    assert await count_rows(store, "large_text") == 3


@pytest.fixture
def threaded(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with threads, and a device."""
    reactor: Any = ReactorWithManualClock()
    store = new_store(str(tmp_path / "pushd.sqlite"), reactor=reactor)
    store.open()
    pytest_twisted.blockon(store.add_device(device(), False))
    yield store
    pytest_twisted.blockon(store.close())


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> dict[bool, int]:
    """The size of the largest value that a statement gets or returns: True for those on the reactor's thread."""
    largest = {True: 0, False: 0}
    reactor = get_ident()

    def record(values: Any) -> None:
        sizes = [len(value) for value in values if isinstance(value, str | bytes)]
        where = get_ident() == reactor
        largest[where] = max(largest[where], *sizes, 0)

    rows, run = SqliteTransaction.rows, SqliteTransaction.run

    def recording_rows(self: SqliteTransaction, statement: Any, **values: Any) -> Any:
        record(values.values())
        found = rows(self, statement, **values)
        for row in found:
            record(tuple(row))
        return found

    def recording_run(self: SqliteTransaction, statement: Any, **values: Any) -> int:
        record(values.values())
        return run(self, statement, **values)

    monkeypatch.setattr(SqliteTransaction, "rows", recording_rows)
    monkeypatch.setattr(SqliteTransaction, "run", recording_run)
    return largest


async def test_large_texts_are_moved_off_the_reactor(threaded: SqliteStore, moved: dict[bool, int]) -> None:
    """A large command is queued, sent, taken back, sent again, acknowledged, settled with a large result, resolved,
    resent, cancelled and shown; on the reactor's thread no statement has more than its outline.
    """
    store = threaded
    await put(store, 1, payload=PAYLOAD, key="k", fingerprint=b"f")
    dispatched = await claim(store)
    assert dispatched is not None
    await when(store, at()).unsend([dispatched])
    dispatched = await claim(store)
    assert dispatched is not None
    assert isinstance(dispatched.payload, LargePayload)
    assert dispatched.payload.sent.data == PAYLOAD.sent.data
    await when(store, at(1)).acknowledge(READER, command_id(1))
    await when(store, at(2)).settle(READER, by_message(1, GARBLED, RESULT))
    expected = PAYLOAD.text.data, text_of(RESULT)
    found = [
        await get_command(store, 1),
        await when(store, at(3)).resolve(command_id(1), Move.RESOLVE_FAILED, None, "ana"),
        (await when(store, at()).put(draft(payload=PAYLOAD, key="k", fingerprint=b"f"), False, LIMIT))[0],
    ]
    assert [given_and_result(command) for command in found] == [expected] * 3
    await put(store, 2, payload=PAYLOAD)
    cancelled = await when(store, at(3)).cancel(command_id(2))
    assert given_and_result(cancelled) == (PAYLOAD.text.data, "")
    assert moved[True] < LARGE < moved[False]


async def test_a_move_does_not_write_the_texts_again(store: IStore) -> None:
    """The row of a command is small, whatever its payload and result."""
    await send(store, 1, payload=PAYLOAD)
    await when(store, at(1)).settle(READER, by_message(1, SUCCESS, RESULT))
    assert await count_rows(store, "command WHERE length(payload) + length(result) < 200") == 1


async def test_sent_in_the_transaction_that_stores_it(threaded: SqliteStore) -> None:
    """A poll that waits gets a large command in the same transaction; it is sent whole."""
    stored = threaded.put(draft(payload=PAYLOAD), False, LIMIT)
    claimed = threaded.claim(READER, None, False, 1)
    await stored
    [dispatched] = (await claimed).dispatched
    assert isinstance(dispatched.payload, LargePayload)
    assert dispatched.payload.sent.data == PAYLOAD.sent.data


async def test_a_refused_command_stores_no_text(store: IStore) -> None:
    """Of a command that is refused, or undone with its transaction, nothing is stored."""
    refused = store.put(draft("controlid:99", payload=PAYLOAD), False, LIMIT)
    with pytest.raises(Exception, match="No device"):
        await refused
    await put(store, 2)
    assert await count_rows(store, "large_text") == 0


async def test_the_outline_is_what_results_are_judged_by(store: IStore) -> None:
    """A result without an id is matched by the endpoint of a large command."""
    await send(store, 1, payload=PAYLOAD)
    other = StubResult(endpoint="load_objects", verdict=FAILURE)
    assert await when(store, at(1)).settle(READER, other) is Settlement.ORPHANED
    own = StubResult(endpoint="user_set_image", verdict=FAILURE)
    assert await when(store, at(1)).settle(READER, own) is Settlement.SETTLED


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE, GARBLED])
async def test_a_large_result_that_is_repeated(store: IStore, verdict: Verdict) -> None:
    """The same large result again changes nothing; without any id it is the same by its text."""
    await send(store, 1)
    for second in (1, 2):
        again = LargeText.of(text_of(RESULT).encode())
        await when(store, at(second)).settle(READER, StubResult(verdict=verdict, result=again))
    command = await get_command(store, 1)
    assert (text_of(command.result), command.finished_at) == (text_of(RESULT), at(1).wall)


@pytest.mark.parametrize("is_acknowledged", [False, True])
async def test_a_result_replaces_an_unreadable_one(store: IStore, is_acknowledged: bool) -> None:
    """Of two results, the one that counts is kept, whichever is large, and if the device acknowledges in between."""
    await send(store, 1)
    for result, verdict in ((RESULT, GARBLED), (OTHER_RESULT, GARBLED), ("{}", SUCCESS)):
        if is_acknowledged:
            await when(store, at(1)).acknowledge(READER, command_id(1))
        await when(store, at(1)).settle(READER, by_message(1, verdict, result))
        assert text_of((await get_command(store, 1)).result) == text_of(result)
    assert await count_rows(store, "large_text") == 0


async def test_a_lapsed_command_is_sent_whole_again(store: IStore) -> None:
    """Each attempt has all of a large command."""
    await send(store, 1, payload=PAYLOAD, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    dispatched = await claim(store, now=at(61))
    assert dispatched is not None
    assert isinstance(dispatched.payload, LargePayload)
    assert (dispatched.attempt, dispatched.payload.sent.data) == (2, PAYLOAD.sent.data)


async def test_texts_are_purged_with_their_command(store: IStore) -> None:
    """Retention leaves nothing of a large command."""
    await send(store, 1, payload=PAYLOAD)
    await when(store, at(1)).settle(READER, by_message(1, SUCCESS, RESULT))
    await when(store, at(3)).purge(at(2).wall, 100)
    assert await count_rows(store, "large_text") == 0


async def test_a_missing_text_fails_its_command_alone(store: IStore) -> None:
    """A damaged database shows what it has; only what needs the missing text fails."""
    await put(store, 1, payload=PAYLOAD)
    await tamper(store, "DELETE FROM large_text")
    dispatched = await claim(store)
    assert dispatched is not None
    assert isinstance(dispatched.payload, LargePayload)
    with pytest.raises(Unavailable, match="missing"):
        _ = dispatched.payload.sent.data
    assert (await get_command(store, 1)).state is State.SENT


@pytest.mark.parametrize("kept", [open_commands.MAX_PAYLOADS, 0], ids=["in memory", "in the database"])
async def test_an_answer_has_few_commands_if_they_are_large(
    store: IStore, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """Commands of up to 64 KiB go together only as far as the reactor can write them in passing, wherever they are."""
    monkeypatch.setattr(open_commands, "MAX_PAYLOADS", kept)
    for number in range(1, 7):
        await put(store, number, payload={"endpoint": "user_set_image", "body": "x" * 65_000})
    claimed = await store.claim(READER, None, True, 6, always_batchable)
    assert [sent.command for sent in claimed.dispatched] == [command_id(number) for number in range(1, 5)]
    assert [sent.payload["body"] for sent in claimed.dispatched] == ["x" * 65_000] * 4
    assert store.has_queued(READER)


@pytest.mark.parametrize("writes", [True, False])
async def test_a_refused_operation_does_nothing_before_the_commit(threaded: SqliteStore, writes: bool) -> None:
    """Of a group, each operation that succeeds does what it has deferred once; one that fails, nothing."""
    done: list[str] = []

    def operation(tx: ITransaction, name: str) -> None:
        if writes:
            tx.run(_MUTE)
        tx.defer(lambda _tx: done.append(name))
        if name == "refused":
            raise UnknownCommand(name)

    first, refused, last = (threaded._writer.submit(operation, name) for name in ("first", "refused", "last"))
    await first
    with pytest.raises(UnknownCommand):
        await refused
    await last
    assert done == ["first", "last"]


async def test_nothing_is_stored_without_its_text(store: IStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a large text cannot be written, its command is refused, and is not there."""
    keep = Statement("save a large text", "INSERT INTO nowhere VALUES (:command, :name, :text)")
    await send(store, 1)
    with monkeypatch.context() as patched:
        patched.setattr(large_texts, "_KEEP", keep)
        with pytest.raises(Unavailable, match="Unable to save a large text"):
            await when(store, at(1)).settle(READER, by_message(1, SUCCESS, RESULT))
    assert (await get_command(store, 1)).state is State.SENT
    await when(store, at(2)).settle(READER, by_message(1, SUCCESS, RESULT))
    assert text_of((await get_command(store, 1)).result) == text_of(RESULT)
