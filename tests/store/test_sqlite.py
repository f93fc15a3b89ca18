"""Tests of SQLite: which files are opened or refused, locks, full disks and permissions."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from twisted.logger import capturedLogs, formatEvent

from pushd.model.errors import StoreRefused, Unavailable
from pushd.model.lifecycle import State
from pushd.store.interface import IStore
from pushd.store.sqlite.store import SqliteStore
from tests.store.clock import new_store
from tests.store.conftest import StoreUnderTest
from tests.store.samples import LIMIT, READER, command_id, device, draft
from tests.store.steps import put, state

IN_A_FILE = pytest.mark.parametrize("kind", ["file", "threads"])


def refusal(path: Path) -> str:
    """The error for a file that is not opened."""
    with pytest.raises(StoreRefused) as caught:
        new_store(str(path)).open()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def made(path: Path, script: str) -> Path:
    """A database of another program."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    """A database of a newer version is not changed, and the error says what to install."""
    path = tmp_path / "pushd.sqlite"
    store = new_store(str(path))
    store.open()
    store.close()
    made(path, "UPDATE schema_version SET version = 99")
    assert "newer pushd" in refusal(path)
    assert "99" in refusal(path)


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A wrong path does no harm to the file."""
    path = made(tmp_path / "contacts.db", "CREATE TABLE contact (name TEXT); INSERT INTO contact VALUES ('Ana')")
    before = path.read_bytes()
    assert "not one of pushd" in refusal(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE schema_version (version INTEGER)",
        "CREATE TABLE schema_version (number TEXT); INSERT INTO schema_version VALUES ('1')",
        "CREATE TABLE schema_version (version TEXT); INSERT INTO schema_version VALUES ('one')",
        "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (1)",
    ],
    ids=["empty", "other columns", "a word", "no other tables"],
)
def test_another_program_that_counts_versions_is_refused(tmp_path: Path, script: str) -> None:
    """A table ``schema_version`` alone does not make it a database of pushd."""
    path = made(tmp_path / "other.db", script)
    before = path.read_bytes()
    refusal(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database, but long enough to look" * 50, b"\x00" * 8192])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A text file, or one full of zeros, is neither opened nor overwritten."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    refusal(path)
    assert path.read_bytes() == content


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    """A file with lost pages is not opened."""
    path = tmp_path / "pushd.sqlite"
    store = new_store(str(path))
    store.open()
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    refusal(path)


@pytest.mark.parametrize("name", [".", "missing/pushd.sqlite"])
def test_a_place_that_cannot_hold_a_database_is_refused(tmp_path: Path, name: str) -> None:
    """A directory, or a path in a missing one, is named in the error."""
    refusal(tmp_path / name)


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    """A file without content is treated as a missing one."""
    path = tmp_path / "pushd.sqlite"
    path.touch()
    store = new_store(str(path))
    assert store.open().devices == ()
    store.close()


@IN_A_FILE
async def test_every_commit_is_synced(under_test: StoreUnderTest, store: IStore) -> None:
    """The database survives a loss of power: it has a write-ahead log, synced at each commit."""
    writer, _ = connections(under_test)
    assert writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert writer.execute("PRAGMA synchronous").fetchone()[0] == 2


@IN_A_FILE
async def test_the_connection_that_reads_cannot_write(under_test: StoreUnderTest, store: IStore) -> None:
    """No query can change anything."""
    _, reader = connections(under_test)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM device")


@IN_A_FILE
async def test_an_orderly_end_leaves_one_file(under_test: StoreUnderTest, store: IStore, tmp_path: Path) -> None:
    """After a stop everything is in the database file, which can be copied."""
    await put(store, 1)
    await under_test.close()
    assert [path.name for path in tmp_path.iterdir()] == ["pushd.sqlite"]


async def test_an_error_of_the_database_names_its_purpose(store: IStore) -> None:
    """The error says what the statement was for."""
    with pytest.raises(Unavailable, match=r"Unable to register a device: .*(?i:check)"):
        await store.add_device(device("controlid:3", admission="nonsense"), False)
    await store.check()


@IN_A_FILE
async def test_another_program_may_lock_the_database_for_a_while(
    under_test: StoreUnderTest, store: IStore, tmp_path: Path
) -> None:
    """Meanwhile operations fail with an error that says so; afterwards they work."""
    do_not_wait_for_locks(under_test)
    with closing(sqlite3.connect(tmp_path / "pushd.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await store.put(draft(), False, LIMIT)
        assert store.queue_depth(READER).queue == 0
        other.execute("ROLLBACK")
    await put(store, 2)
    assert await state(store, 2) is State.QUEUED


@IN_A_FILE
async def test_a_full_disk_is_an_error_until_there_is_space(under_test: StoreUnderTest, store: IStore) -> None:
    """What cannot be written is refused and leaves nothing behind; the log says once when it began, once when it
    ended.
    """
    writer, _ = connections(under_test)
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with capturedLogs() as logged:
        for _ in range(3):
            with pytest.raises(Unavailable, match="full") as refused:
                await store.put(draft(payload={"body": "x" * 100_000}), False, LIMIT)
            assert refused.value.is_logged
            await store.acknowledge(READER, command_id(7))  # changes nothing
        assert store.queue_depth(READER).queue == 0
        assert [formatEvent(event)[:30] for event in logged] == ["Unable to write to the database"[:30]]
        writer.execute("PRAGMA max_page_count = 1000000")
        for number in (2, 3):
            await put(store, number)
    assert store.queue_depth(READER).queue == 2
    assert [formatEvent(event) for event in logged[1:]] == ["The database can be written again"]


def do_not_wait_for_locks(under_test: StoreUnderTest) -> None:
    """Have the store give up at once where another program has locked the database."""
    connection = under_test.store._writer.connection  # type: ignore[attr-defined]
    connection.busy_seconds = 0.0
    connection.connection.execute("PRAGMA busy_timeout = 0")


def connections(under_test: StoreUnderTest) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """The connection that writes and the one that reads."""
    store = under_test.store
    assert isinstance(store, SqliteStore)
    writer, reader = store._writer.connection, store._reader.connection  # type: ignore[attr-defined]
    return writer.connection, reader.connection


@IN_A_FILE
async def test_only_its_owner_may_read_it(under_test: StoreUnderTest, store: IStore, tmp_path: Path) -> None:
    """Other users of the machine can read neither the database nor the files beside it."""
    await put(store, 1)
    found = [file for file in tmp_path.iterdir() if file.name.startswith("pushd.sqlite")]
    assert len(found) > 1
    assert {file.stat().st_mode & 0o777 for file in found} == {0o600}
