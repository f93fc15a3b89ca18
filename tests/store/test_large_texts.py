"""Tests of large texts: SQLite keeps no copy of them in memory once they are stored."""

from collections.abc import Iterator

import pytest

from pushd.lib.large_json import LARGE
from pushd.model.command import LargePayload
from pushd.model.result import Verdict
from pushd.store.interface import IStore
from pushd.store.sqlite.store import SqliteStore
from tests.store.samples import FAILURE, GARBLED, READER, SUCCESS, at, by_message
from tests.store.steps import get_command, put, send

pytestmark = pytest.mark.parametrize("kind", ["memory"])

TEXT = '{"endpoint":"%s"}' % ("x" * LARGE)


@pytest.fixture
def statements(store: IStore) -> Iterator[list[str]]:
    """The statements that are run, with their values."""
    assert isinstance(store, SqliteStore)
    connection = store._writer.connection.connection  # type: ignore[attr-defined]
    run: list[str] = []
    connection.set_trace_callback(run.append)
    yield run
    connection.set_trace_callback(None)


def have_text(statements: list[str], begin: str) -> list[bool]:
    """Of the statements that begin so, in their order, which have the text among their values."""
    return [TEXT in statement for statement in statements if statement.startswith(begin)]


async def test_large_payload_is_not_kept(store: IStore, statements: list[str]) -> None:
    """The statement that stores a large payload is run again without it, and then stores nothing."""
    await put(store, 1, payload=LargePayload(TEXT))
    await put(store, 2)
    assert have_text(statements, "INSERT INTO command ") == [True, False, False]
    stored = (await get_command(store, 1)).payload
    assert isinstance(stored, LargePayload)
    assert stored.text == TEXT


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE, GARBLED])
async def test_large_result_is_not_kept(store: IStore, statements: list[str], verdict: Verdict) -> None:
    """The statement that stores a large result is run again without it, and then changes no command."""
    await send(store, 1)
    await send(store, 2)
    statements.clear()
    for number in (1, 2):
        await store.settle(READER, by_message(number, verdict, TEXT), at(number))
    found = have_text(statements, "UPDATE command ")
    assert (found[0], found[-1]) == (True, False)
    for number in (1, 2):
        command = await get_command(store, number)
        assert (command.result, command.finished_at) == (TEXT, at(number).wall)
