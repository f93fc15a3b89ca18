"""A store next to its reference model: each step is applied to both, and both must give the same answer."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred

from pushd.core.polling.result_index import ResultIndex
from pushd.model.command import Dispatched, Draft
from pushd.model.device import Admission, PresenceState
from pushd.model.dialect import never
from pushd.model.errors import PushdError
from pushd.model.event import Event
from pushd.model.lifecycle import OUT, Move, State
from pushd.model.timestamps import Now
from pushd.rules.records import CommandRecord
from pushd.store import command_rows
from pushd.store.filters import StartOptions, StartupSnapshot
from pushd.store.open_commands import NotLoaded, OpenCommands
from pushd.store.sqlite.connection import run_once
from pushd.store.sqlite.store import SqliteStore
from pushd.store.transactions import startup
from tests.model_based.command_model import Attempt, CommandModel
from tests.model_based.device_model import Poll
from tests.model_based.store_model import StoreModel
from tests.model_based.strategies import DEVICES, READERS, batchable
from tests.results import result_of
from tests.store.clock import new_store, when
from tests.store.samples import STEADY, WALL, StubResult, device, draft

T = TypeVar("T")

ALL = 1_000_000
MAX_QUEUED = 6
"""Few enough to be reached."""

MAX_UNSEND_DELAY = 60_000
"""Milliseconds until the server knows that a connection was lost; the grace of fsck for late sweeps is as long."""

UNKNOWN_COMMAND = Dispatched(command="no-such-command", attempt=1, payload={})


def result_or_error(operation: Callable[[], T]) -> T | type[PushdError]:
    """The result of an operation, or the type of the error that it raises."""
    try:
        return operation()
    except PushdError as error:
        return type(error)


def dispatched(attempt: Attempt) -> Dispatched:
    """What is sent to the device with an attempt."""
    command = attempt.command
    return Dispatched(command=command.id, attempt=attempt.number, payload=command.draft.payload)


class ModelComparison:
    """A store in memory with the indexes that follow it, and the model of the store."""

    def __init__(self) -> None:
        self.now = Now(wall=WALL, steady=STEADY)
        self.saved = self.now
        """The clocks as the store saved them last."""
        self.step = 0
        """Milliseconds by which the wall clock was set, and the server has not noticed it yet."""
        self.lowest = WALL
        """The lowest wall time since the last sweep."""
        self.model = StoreModel()
        self.events: list[Event] = []
        self.handovers: dict[tuple[str, int], str] = {}
        self.sent: Counter[str] = Counter()
        """How often each command was sent to a device, as far as bytes of it were written."""
        self.reported = 0
        self.store = self.make()
        self.begin(when(self.store, self.now).open())
        for name in DEVICES:
            self.come_online(name)

    def make(self) -> SqliteStore:
        """A store that is not open yet."""
        return new_store()

    def reopen(self) -> StartupSnapshot:
        """What a new process does first; a database in memory cannot be closed and opened again."""
        connection = self.store._writer.connection  # type: ignore[attr-defined]
        for listeners in self.store._listeners.values():
            listeners.clear()
        when(self.store, self.now)
        return run_once(connection, partial(startup.load_snapshot, options=StartOptions()))

    def check_memory(self) -> None:
        """Memory has the open commands that a start would read from the database, and no other newest handovers."""
        known, loaded = self.store._open_commands, OpenCommands()
        connection = self.store._writer.connection  # type: ignore[attr-defined]
        run_once(connection, lambda tx: loaded.load(command_rows.open_commands(tx)))
        assert {name: _of_its_state(each) for name, each in known.commands.items()} == {
            name: _of_its_state(each) for name, each in loaded.commands.items()
        }
        for name, expected in loaded.devices.items():
            stored = known.devices[name]
            assert (stored.queue, stored.out.keys()) == (expected.queue, expected.out.keys())
            if not isinstance(stored.newest, NotLoaded):
                newest = run_once(connection, partial(command_rows.newest_handover, device=name))
                assert stored.newest == newest
        assert all(name in loaded.devices for name, each in known.devices.items() if each.queue or each.out)

    def begin(self, snapshot: StartupSnapshot) -> None:
        """Build the indexes in memory from the store, and let them follow it."""
        self.result_index = ResultIndex()
        self.store.subscribe(self.events.append)
        self.result_index.subscribe(self.store)
        self.result_index.load(snapshot)
        commands = self.model.commands.values()
        queued = {command.draft.device for command in commands if command.state is State.QUEUED}
        assert set(self.store.devices_with_queue()) == queued

    def close(self) -> None:
        """Close the store."""
        result_of(self.store.close())

    def put(self, name: str, endpoint: str, batchable: bool, later: int | None, **fields: Any) -> str | None:
        """Send a command, or repeat a request; the id of the command, None if it was refused."""
        not_before = None if later is None else self.now.wall + 1000 * later
        payload = {"endpoint": endpoint, "batchable": batchable}
        wanted = draft(name, payload, not_before=not_before, **fields)
        return self._queue(wanted, when(self.store, self.now).put, self.model.put)

    def resend(self, command: str) -> str | None:
        """An operator sends a command again; the id of its successor, None if it was refused."""
        before = self.model.commands[command].draft
        again = evolve(draft(before.device, before.payload), resend_of=command)
        return self._queue(again, when(self.store, self.now).resend, self.model.resend)

    def _queue(
        self, wanted: Draft, real: Callable[..., Deferred[Any]], model: Callable[..., tuple[CommandModel, bool]]
    ) -> str | None:
        stored = result_or_error(lambda: result_of(real(wanted, False, MAX_QUEUED)))
        expected = result_or_error(lambda: model(wanted, MAX_QUEUED, self.now))
        if isinstance(expected, type) or isinstance(stored, type):
            assert stored is expected
            return None
        command, created = expected
        assert (stored[0].id, stored[1]) == (command.id, created)
        return command.id

    def poll(self, name: str, uuid: str | None, batch: int) -> None:
        """A device polls as its dialect does; the index in memory decides whether the store is asked."""
        due = when(self.store, self.now).next_due(name)
        if name in READERS:
            poll = Poll(name, uuid, True, batch, batchable if batch > 1 else never)
        else:
            poll = Poll(name, None, False, 1, never)
        expected = self.model.claim(poll, self.now)
        if due is None or due > self.now.wall:
            assert not expected, "the index in memory says that nothing is due"
            return
        operation = when(self.store, self.now).claim(name, poll.uuid, poll.one_at_a_time, poll.limit, poll.batchable)
        claim = result_of(operation)
        assert claim.dispatched == tuple(dispatched(command.attempts[-1]) for command in expected)
        self.sent.update(sent.command for sent in claim.dispatched)
        self.handovers.update(((sent.command, sent.attempt), sent.handover) for sent in claim.dispatched)

    def unsend(self, command: str, older: bool) -> None:
        """The connection of an attempt was lost before a byte was written; the server learns it late, and twice."""
        attempts = self.model.commands[command].attempts
        if attempts and self.now.wall - attempts[-1].sent_at <= MAX_UNSEND_DELAY:
            batch = map(dispatched, attempts[0 if older else -1].batch)
            answer = [evolve(sent, handover=self.handovers[sent.command, sent.attempt]) for sent in batch]
            for each in (*answer, *answer, UNKNOWN_COMMAND):
                result_of(when(self.store, self.now).unsend([each]))
                self.sent[each.command] -= self.model.unsend(each.command, each.attempt, self.now)

    def acknowledge(self, name: str, command: str) -> None:
        """A device acknowledges a command, unless it is blocked."""
        if self.model.devices[name].admission is not Admission.BLOCKED:
            result_of(when(self.store, self.now).acknowledge(name, command))
            self.model.acknowledge(name, command, self.now)

    def report(self, name: str, result: StubResult) -> None:
        """A device reports a result, unless it is not approved."""
        if self.model.devices[name].admission is Admission.APPROVED:
            self.reported += 1
            result = evolve(result, raw=str(self.reported).encode())
            settlement = result_of(when(self.store, self.now).settle(name, result))
            expected = self.model.settle(name, result, self.now)
            assert settlement is expected, (settlement, expected)

    def cancel(self, command: str) -> None:
        """An operator cancels a command."""
        stored = result_or_error(lambda: result_of(when(self.store, self.now).cancel(command)).id)
        assert stored == result_or_error(lambda: self.model.cancel(command, self.now).id)

    def resolve(self, command: str, move: Move) -> None:
        """An operator sets the outcome of a command."""
        stored = result_or_error(
            lambda: result_of(when(self.store, self.now).resolve(command, move, "a note", "ana")).id
        )
        assert stored == result_or_error(lambda: self.model.resolve(command, move, "a note", self.now).id)

    def come_online(self, name: str) -> None:
        """A device is added if it does not exist, approved, and online."""
        if self.model.devices[name].admission is None:
            result_of(when(self.store, self.now).add_device(device(name), False))
            self.model.add_device(name, self.now)
        self.admit(name, Admission.APPROVED)
        self.set_presence(name, PresenceState.ONLINE)

    def admit(self, name: str, admission: Admission) -> None:
        """An operator changes the admission of a device."""
        if self.model.devices[name].admission is not None:
            result_of(when(self.store, self.now).change_device(name, {"admission": admission}))
            self.model.admit(name, admission, self.now)

    def set_presence(self, name: str, presence: PresenceState) -> None:
        """A device comes online or signs off."""
        if self.model.devices[name].admission is not None:
            result_of(when(self.store, self.now).set_presence(name, presence))
            self.model.set_presence(name, presence, self.now)

    def forget(self, name: str) -> None:
        """An operator deletes a device; the design does not fix the order in which its commands end."""
        if self.model.devices[name].admission is not None:
            before, expected = len(self.events), len(self.model.events)
            result_of(when(self.store, self.now).forget_device(name))
            self.model.forget(name, self.now)
            self.events[before:-1] = sorted(self.events[before:-1], key=lambda event: event.command or "")
            self.model.events[expected:-1] = sorted(
                self.model.events[expected:-1], key=lambda each: each.command or ""
            )

    def pass_time(self, seconds: int, *, stalled: bool) -> None:
        """All clocks advance, but for the steady one if the server was stalled."""
        passed = 1000 * seconds
        steady = self.now.steady + (0 if stalled else passed)
        self.now = Now(self.now.wall + passed, steady, self.now.elapsed + passed)

    def set_clock(self, seconds: int) -> None:
        """The wall clock alone is set forward, or back; the server notices that at its next sweep."""
        self.step += 1000 * seconds
        self.now = evolve(self.now, wall=self.now.wall + 1000 * seconds)
        self.lowest = min(self.lowest, self.now.wall)

    def save_clocks(self) -> None:
        """The server saves its clocks."""
        result_of(when(self.store, self.now).save_clocks(0))
        self.saved = self.now

    def _notice_step(self) -> None:
        if self.step:
            result_of(when(self.store, self.now).save_step(0, self.step))
            self.model.notice_step(max(self.now.wall, self.now.wall - self.step), self.now)
            self.saved, self.step = self.now, 0

    def sweep(self) -> None:
        """End leases and times to live that are over."""
        self._notice_step()
        self.lowest = self.now.wall
        assert result_of(when(self.store, self.now).lapse(ALL)) == self.model.lapse(self.now)
        assert result_of(when(self.store, self.now).expire(ALL)) == self.model.expire(self.now)

    def restart(self, away: int, step: int) -> None:
        """Die, and start again after so many seconds in a process with another steady clock; meanwhile the wall clock
        may have been set. Elapsed time goes on from where it was saved, as far as the wall clock shows it.
        """
        self.set_clock(away + step)
        elapsed = self.saved.elapsed + max(self.now.wall - self.saved.wall, 0)
        self.now = Now(self.now.wall, STEADY // 2, elapsed)
        newest = max(self.saved.wall, *(event.at for event in self.model.events[-1:]))
        snapshot = self.reopen()
        assert snapshot.now.elapsed == elapsed
        self.begin(snapshot)
        self.model.notice_step(max(self.now.wall, newest), self.now)
        self.model.restart(self.now)
        self.saved, self.step = self.now, 0


def _of_its_state(command: CommandRecord) -> CommandRecord:
    """Without its payload, which may stay in the database alone, its lease, which is renewed in memory alone, and,
    unless it is in flight, what is known of its latest attempt.
    """
    command = command._replace(payload=None, lease_until=None, deadline_until=None)
    return command if command.state in OUT else command._replace(handover=None, sent_before=None)


class ModelComparisonOnDisk(ModelComparison):
    """The same with a store in a file, which is closed and opened again."""

    def make(self) -> SqliteStore:
        """A store in a directory of its own."""
        self.folder = TemporaryDirectory()
        return new_store(str(Path(self.folder.name) / "pushd.sqlite"))

    def reopen(self) -> StartupSnapshot:
        """Close the store, and open it as a new process does."""
        result_of(self.store.close())
        self.store = new_store(self.store.path)
        return when(self.store, self.now).open()

    def close(self) -> None:
        """Close the store and delete its file."""
        super().close()
        self.folder.cleanup()
