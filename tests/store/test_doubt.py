"""Tests of commits of which it is not known whether they were done: the database is opened again."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pushd.model.errors import OutcomeInDoubt, Unavailable
from pushd.model.event import Event, EventType
from pushd.model.lifecycle import State
from pushd.store.sqlite.connection import SqliteConnection, connect
from pushd.store.sqlite.store import SqliteStore
from tests.results import result_of
from tests.store.clock import new_store
from tests.store.failing_commit import FailingCommit
from tests.store.samples import LIMIT, READER, command_id, device, draft

DONE, NOT_DONE = "COMMIT", "ROLLBACK"
"""What became of a commit in doubt."""

Connect = Callable[[], sqlite3.Connection]


class StoreInDoubt:
    """A store whose next commit fails, as on a disk that cannot sync."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.store: SqliteStore = new_store(self.path)
        self.events: list[Event] = []
        self.store.open()
        result_of(self.store.add_device(device(), False))
        self.store.subscribe(self.events.append)

    @property
    def connection(self) -> SqliteConnection:
        """The connection that writes."""
        connection: SqliteConnection = self.store._writer.connection  # type: ignore[attr-defined]
        return connection

    def fail_commit(self, fate: str) -> None:
        """Let the next commit fail."""
        failing: Any = FailingCommit(self.connection.connection, ends_with=fate)
        self.connection.connection = failing

    def connect(self) -> sqlite3.Connection:
        """Open the database as the store does."""
        return connect(self.path)

    def connect_to_failing_disk(self) -> sqlite3.Connection:
        """Open it on a disk that still cannot sync."""
        return cast(sqlite3.Connection, FailingCommit(self.connect()))

    def reopen_with(self, opened: Connect) -> None:
        """Let the database be opened again in this way."""
        self.connection.reconnect = opened

    def put(self, key: str | None = None) -> tuple[str, bool]:
        """Queue a command; its id, and whether it is new."""
        command, is_new = result_of(self.store.put(draft(key=key, fingerprint=b"f"), False, LIMIT))
        return command.id, is_new

    def claim(self) -> list[tuple[str, int]]:
        """Poll; what was sent, and with which attempts."""
        claimed = result_of(self.store.claim(READER, "u", True, 1)).dispatched
        return [(sent.command, sent.attempt) for sent in claimed]

    def command(self, number: int) -> tuple[State, int]:
        """The state of a command and its attempts, as they are stored."""
        found = result_of(self.store.command(command_id(number)))
        return found.state, found.attempts


@pytest.fixture
def subject(tmp_path: Path) -> StoreInDoubt:
    """A store in a file, with a device."""
    return StoreInDoubt(tmp_path / "pushd.sqlite")


@pytest.mark.parametrize(("fate", "is_new"), [(DONE, False), (NOT_DONE, True)])
def test_a_command_in_doubt_that_is_sent_again(subject: StoreInDoubt, fate: str, is_new: bool) -> None:
    """With its key it is queued once, whether the disk had it or not, and a poll gets it once."""
    subject.fail_commit(fate)
    with pytest.raises(OutcomeInDoubt):
        subject.put("k")
    command, found_new = subject.put("k")
    assert found_new is is_new
    assert subject.store.devices_with_queue() == [READER]
    assert subject.claim() == [(command, 1)]
    assert subject.claim() == []


@pytest.mark.parametrize("fate", [DONE, NOT_DONE])
def test_a_claim_in_doubt_is_taken_back(subject: StoreInDoubt, fate: str) -> None:
    """It was never sent, so its command is queued as before, and the next poll gets it with its first attempt."""
    command, _ = subject.put()
    subject.fail_commit(fate)
    with pytest.raises(OutcomeInDoubt):
        subject.claim()
    assert subject.command(1) == (State.QUEUED, 0)
    unsent = [event for event in subject.events if event.data.get("reason") == "unsent"]
    assert len(unsent) == (1 if fate is DONE else 0)
    assert subject.claim() == [(command, 1)]
    assert subject.command(1) == (State.SENT, 1)


def test_an_older_claim_is_not_taken_back(subject: StoreInDoubt) -> None:
    """What was sent before stays in flight: the claim in doubt is named by its id."""
    subject.put()
    assert subject.claim() == [(command_id(1), 1)]
    subject.put()
    subject.fail_commit(NOT_DONE)
    with pytest.raises(OutcomeInDoubt):
        result_of(subject.store.claim(READER, "v", False, 1))
    assert [subject.command(number) for number in (1, 2)] == [(State.SENT, 1), (State.QUEUED, 0)]


def test_a_disk_that_goes_on_failing(subject: StoreInDoubt) -> None:
    """Until the database can be opened again and written, nothing is run, and the answer is that nothing is stored."""
    subject.reopen_with(subject.connect_to_failing_disk)
    subject.fail_commit(NOT_DONE)
    with pytest.raises(OutcomeInDoubt):
        subject.put()
    for _ in range(2):
        with pytest.raises(Unavailable, match="Unable to commit: disk I/O error") as error:
            subject.put()
        assert error.type is Unavailable
    subject.reopen_with(subject.connect)
    assert subject.put()[1]
    assert [event.type for event in subject.events] == [EventType.COMMAND_QUEUED]


def test_a_claim_in_doubt_on_a_disk_that_goes_on_failing(subject: StoreInDoubt) -> None:
    """It is taken back as soon as the database can be written again."""
    subject.put()
    subject.reopen_with(subject.connect_to_failing_disk)
    subject.fail_commit(DONE)
    for error in (OutcomeInDoubt, Unavailable):
        with pytest.raises(error):
            subject.claim()
    assert subject.command(1) == (State.SENT, 1)
    subject.reopen_with(subject.connect)
    assert subject.claim() == [(command_id(1), 1)]


@pytest.mark.parametrize("fate", [DONE, NOT_DONE])
def test_a_database_that_is_open_only_once(subject: StoreInDoubt, fate: str) -> None:
    """If no other connection is open, SQLite copies the log when the database is closed, and makes another one."""
    for reader in (subject.store._reader, subject.store._scanner):
        result_of(reader.close())

    def connect_to_another_log() -> sqlite3.Connection:
        Path(f"{subject.path}.other").touch()  # takes the inode that is free, else the new log has it again
        return subject.connect()

    subject.reopen_with(connect_to_another_log)
    subject.fail_commit(fate)
    with pytest.raises(OutcomeInDoubt):
        subject.put("k")
    assert subject.put("k") == (command_id(1 if fate is DONE else 2), fate is NOT_DONE)
    assert subject.claim() == [(command_id(1 if fate is DONE else 2), 1)]


def test_a_database_that_was_replaced_meanwhile(subject: StoreInDoubt) -> None:
    """Another file at its path is not written to."""
    subject.reopen_with(subject.connect_to_failing_disk)
    subject.fail_commit(NOT_DONE)
    with pytest.raises(OutcomeInDoubt):
        subject.put()
    Path(subject.path).rename(f"{subject.path}.old")
    Path(subject.path).write_bytes(Path(f"{subject.path}.old").read_bytes())
    subject.reopen_with(subject.connect)
    with pytest.raises(Unavailable, match="was replaced by another file"):
        subject.put()


def test_a_database_that_cannot_be_opened_again(subject: StoreInDoubt) -> None:
    """Nothing is run until it can be."""

    def missing() -> sqlite3.Connection:
        raise Unavailable("no such file")

    subject.reopen_with(missing)
    subject.fail_commit(NOT_DONE)
    with pytest.raises(OutcomeInDoubt):
        subject.put()
    with pytest.raises(Unavailable, match="no such file"):
        subject.put()
    subject.reopen_with(subject.connect)
    assert subject.put()[1]
