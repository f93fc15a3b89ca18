"""A store and the model of what it should do: both are told the same, and must answer the same."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.core.polling.command_index import CommandIndex, ResultIndex
from pushd.model.command import Dispatched, Draft
from pushd.model.device import Admission, PresenceState
from pushd.model.dialect import never
from pushd.model.errors import PushdError
from pushd.model.event import Event
from pushd.model.lifecycle import Move, State
from pushd.model.timestamps import Now
from pushd.store.filters import StartupSnapshot
from pushd.store.sqlite.connection import run_once
from pushd.store.sqlite.store import MEMORY, SqliteStore
from pushd.store.transactions import startup
from tests.model_based.choices import DEVICES, READERS, batchable
from tests.model_based.fate import Attempt, Fate
from tests.model_based.model import Model
from tests.model_based.party import Poll
from tests.store.samples import STEADY, WALL, StubResult, device, draft

T = TypeVar("T")

ALL = 1_000_000
QUEUE_LIMIT = 6
"""Low enough to be met."""

LATEST = 10_000
"""Milliseconds after which we know of every connection whether it had gone; a sweep may not be further behind."""


def gave(deferred: Deferred[T]) -> T:
    """What a verb gave, which a store without threads has done by now."""
    values: list[T] = []
    failures: list[Failure] = []
    deferred.addCallbacks(values.append, failures.append)
    for failure in failures:
        failure.raiseException()
    return values[0]


def outcome(verb: Callable[[], T]) -> T | type[PushdError]:
    """What a verb gives, or how it refuses."""
    try:
        return verb()
    except PushdError as error:
        return type(error)


def handed(attempt: Attempt) -> Dispatched:
    """What a device is handed with an attempt."""
    draft = attempt.fate.draft
    return Dispatched(command=draft.id, attempt=attempt.number, payload=draft.payload)


class Pair:
    """A store in memory, what memory makes of it, and the model."""

    def __init__(self) -> None:
        self.now = Now(wall=WALL, steady=STEADY)
        self.lowest = WALL
        """What the wall showed at least since the last sweep."""
        self.model = Model()
        self.heard: list[Event] = []
        self.reported = 0
        self.store = self.make()
        self.begin(self.store.open(self.now))
        for name in DEVICES:
            self.come(name)

    def make(self) -> SqliteStore:
        """A store that is not open yet."""
        return SqliteStore(MEMORY)

    def reopen(self) -> StartupSnapshot:
        """What a new process does first; a database in memory would not outlive more."""
        connection = self.store._writer.connection  # type: ignore[attr-defined]
        for listeners in self.store._listeners.values():
            listeners.clear()
        return run_once(connection, partial(startup.load_snapshot, now=self.now))

    def begin(self, known: StartupSnapshot) -> None:
        """Let memory start from what the store knows, and follow it."""
        self.command_index, self.result_index = CommandIndex(), ResultIndex()
        self.store.subscribe(self.heard.append)
        self.command_index.subscribe(self.store)
        self.result_index.subscribe(self.store)
        self.command_index.load(known)
        self.result_index.load(known)
        fates = self.model.fates.values()
        assert known.queued == {fate.draft.device for fate in fates if fate.state is State.QUEUED}
        assert known.last_command == max(self.model.fates, default=None)

    def close(self) -> None:
        """Leave nothing behind."""
        gave(self.store.close())

    def put(self, name: str, endpoint: str, batchable: bool, later: int | None, **fields: Any) -> str | None:
        """A sender sends, or repeats a request; the id of the command, if there is one now."""
        not_before = None if later is None else self.now.wall + 1000 * later
        payload = {"endpoint": endpoint, "batchable": batchable}
        wanted = draft(self._next(), name, payload, not_before=not_before, **fields)
        return self._queued(wanted, self.store.put, self.model.put)

    def resend(self, command: str) -> str | None:
        """An operator sends a command again; the id of its successor, if there is one now."""
        before = self.model.fates[command].draft
        again = evolve(draft(self._next(), before.device, before.payload), resend_of=command)
        return self._queued(again, self.store.resend, self.model.resend)

    def _next(self) -> int:
        return len(self.model.fates) + 1

    def _queued(
        self, wanted: Draft, real: Callable[..., Deferred[Any]], model: Callable[..., tuple[Fate, bool]]
    ) -> str | None:
        stored = outcome(lambda: gave(real(wanted, False, QUEUE_LIMIT, self.now)))
        expected = outcome(lambda: model(wanted, QUEUE_LIMIT, self.now))
        if isinstance(expected, type) or isinstance(stored, type):
            assert stored is expected
            return None
        fate, fresh = expected
        assert (stored[0].id, stored[1]) == (fate.draft.id, fresh)
        return fate.draft.id

    def poll(self, name: str, uuid: str | None, batch: int) -> None:
        """A device polls, as its dialect does, and gets what memory and the store give it."""
        due = self.command_index.due(name)
        if name in READERS:
            asked = Poll(name, uuid, True, batch, batchable if batch > 1 else never)
        else:
            asked = Poll(name, None, False, 1, never)
        expected = self.model.claim(asked, self.now)
        if due is None or due > self.now.wall:
            assert not expected, "memory says that there is nothing"
            return
        claim = gave(self.store.claim(name, asked.uuid, asked.one_at_a_time, asked.limit, self.now, asked.batchable))
        self.command_index.update(name, claim)
        assert claim.handed == tuple(handed(fate.attempts[-1]) for fate in expected)

    def unsend(self, command: str, older: bool) -> None:
        """The connection of an attempt had gone before a byte was written, which we learn late, and twice."""
        attempts = self.model.fates[command].attempts
        if attempts and self.now.wall - attempts[-1].sent_at <= LATEST:
            answer = tuple(map(handed, attempts[0 if older else -1].together))
            for one in answer + answer:
                gave(self.store.unsend([one], self.now))
                self.model.unsend(one.command, one.attempt, self.now)

    def acknowledge(self, name: str, command: str) -> None:
        """A device says that it has a command, unless the reception turns it away."""
        if self.model.parties[name].admission is not Admission.BLOCKED:
            gave(self.store.acknowledge(name, command, self.now))
            self.model.acknowledge(name, command, self.now)

    def report(self, name: str, said: StubResult) -> None:
        """A device says what became of something, unless the reception turns it away."""
        if self.model.parties[name].admission is Admission.APPROVED:
            self.reported += 1
            said = evolve(said, raw=str(self.reported).encode())
            settlement = gave(self.store.settle(name, said, self.now))
            expected = self.model.settle(name, said, self.now)
            assert settlement is expected, (settlement, expected)

    def cancel(self, command: str) -> None:
        """An operator takes a command back."""
        stored = outcome(lambda: gave(self.store.cancel(command, self.now)).id)
        assert stored == outcome(lambda: self.model.cancel(command, self.now).draft.id)

    def resolve(self, command: str, move: Move) -> None:
        """An operator says what became of a command."""
        stored = outcome(lambda: gave(self.store.resolve(command, move, "a note", "ana", self.now)).id)
        assert stored == outcome(lambda: self.model.resolve(command, move, "a note", self.now).draft.id)

    def come(self, name: str) -> None:
        """A device is there, known and approved."""
        if self.model.parties[name].admission is None:
            gave(self.store.add_device(device(name), False, self.now))
            self.model.introduce(name, self.now)
        self.admit(name, Admission.APPROVED)
        self.sign(name, PresenceState.ONLINE)

    def admit(self, name: str, admission: Admission) -> None:
        """An operator decides on a device."""
        if self.model.parties[name].admission is not None:
            gave(self.store.change_device(name, {"admission": admission}, self.now))
            self.model.admit(name, admission, self.now)

    def sign(self, name: str, presence: PresenceState) -> None:
        """A device goes away on purpose, or returns."""
        if self.model.parties[name].admission is not None:
            gave(self.store.set_presence(name, presence, self.now))
            self.model.sign(name, presence, self.now)

    def forget(self, name: str) -> None:
        """An operator forgets a device; its commands end at once, in whatever order."""
        if self.model.parties[name].admission is not None:
            heard, told = len(self.heard), len(self.model.feed)
            gave(self.store.forget_device(name, self.now))
            self.model.forget(name, self.now)
            self.heard[heard:-1] = sorted(self.heard[heard:-1], key=lambda event: event.command or "")
            self.model.feed[told:-1] = sorted(self.model.feed[told:-1], key=lambda entry: entry.command or "")

    def turn(self, wall: int, steady: int) -> None:
        """The clocks go on by so many seconds, or are set."""
        self.now = Now(wall=self.now.wall + 1000 * wall, steady=self.now.steady + 1000 * steady)
        self.lowest = min(self.lowest, self.now.wall)

    def sweep(self) -> None:
        """What the clocks end is ended."""
        self.lowest = self.now.wall
        assert gave(self.store.lapse(ALL, self.now)) == self.model.lapse(self.now)
        assert gave(self.store.expire(ALL, self.now)) == self.model.expire(self.now)

    def restart(self, away: int) -> None:
        """We stop, or die, and start again so many seconds later; another process counts its time from elsewhere."""
        self.turn(away, 0)
        self.now = evolve(self.now, steady=STEADY // 2)
        self.begin(self.reopen())
        self.model.restart(self.now)


class PairInAFile(Pair):
    """The same over a file, which is closed and opened again."""

    def make(self) -> SqliteStore:
        """A store in a folder of its own."""
        self.folder = TemporaryDirectory()
        return SqliteStore(str(Path(self.folder.name) / "pushd.sqlite"))

    def reopen(self) -> StartupSnapshot:
        """Stop, and start as a new process does."""
        gave(self.store.close())
        self.store = SqliteStore(self.store.path)
        return self.store.open(self.now)

    def close(self) -> None:
        """Leave nothing behind."""
        super().close()
        self.folder.cleanup()
