"""
The machine of the proof: senders, devices, operators and the clock do as they like with a store and with a plain
model of what it should do, and the two are compared after every step.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, multiple, rule
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pushd.core.queued import Queued
from pushd.core.reportable import Reportable
from pushd.model.command import Handed, Payload
from pushd.model.device import Admission, PresenceState
from pushd.model.dialect import Joins, never
from pushd.model.errors import PushdError
from pushd.model.events import Event
from pushd.model.lifecycle import Delivery, Move, State
from pushd.model.moments import Now
from pushd.model.report import Verdict
from pushd.store import lists
from pushd.store.fsck import GRACE
from pushd.store.interface import Known
from pushd.store.sqlite import MEMORY, SqliteStore, at_once
from tests.proof.fate import Attempt, Fate
from tests.proof.model import Model, Party
from tests.store.samples import BROKE, GARBLED, STEADY, WALL, WORKED, Said, device, draft

T = TypeVar("T")

READERS = ("controlid:1", "controlid:2")
CONTAINERS = ("servereye:a", "servereye:b")
DEVICES = READERS + CONTAINERS

ALL = 1_000_000
QUEUE_LIMIT = 6
"""Low enough to be met."""

readers = st.sampled_from(READERS[:1] * 4 + READERS[1:])
containers = st.sampled_from(CONTAINERS[:1] * 4 + CONTAINERS[1:])
devices = readers | containers
"""One of each dialect does most, so that much happens to it; the other is there to be confused with it."""

speakers = st.sampled_from([None, None, None, None, *CONTAINERS])
"""Which container speaks of a message; None: the one to which it was sent."""

seconds = st.sampled_from([1, 5, 10, 30])
"""Around leases, deadlines and times to live."""

uuids = st.sampled_from([None, "u1", "u2", "u3"])
verdicts = st.sampled_from([WORKED, BROKE, GARBLED])
results = st.sampled_from(['{"response":{}}', '{"response":1}'])
endpoints = st.sampled_from(["load_objects", "load_objects", "execute_actions"])
entries = st.dictionaries(st.integers(1, 3), st.tuples(verdicts, results))

terms = st.fixed_dictionaries(
    {
        "name": devices,
        "endpoint": endpoints,
        "joins": st.booleans(),
        "later": st.sampled_from([None, None, None, 5, 30]),
        "lease": st.sampled_from([5.0, 30.0]),
        "delivery": st.sampled_from(Delivery),
        "priority": st.integers(4, 6),
        "ttl": st.sampled_from([5, 30, 300, 300]),
        "deadline": st.sampled_from([4, 60, 3600]),
        "max_attempts": st.integers(1, 3),
        "key": st.sampled_from([None, None, None, "k"]),
        "fingerprint": st.sampled_from([b"1", b"2"]),
        "created_by": st.sampled_from(["admin", "other"]),
    }
)
"""What a sender may ask for."""


def gave(deferred: Deferred[T]) -> T:
    """
    What a verb gave, which a store without threads has done by now.
    """
    values: list[T] = []
    failures: list[Failure] = []
    deferred.addCallbacks(values.append, failures.append)
    for failure in failures:
        failure.raiseException()
    return values[0]


def outcome(verb: Callable[[], T]) -> T | type[PushdError]:
    """
    What a verb gives, or how it refuses.
    """
    try:
        return verb()
    except PushdError as error:
        return type(error)


def joins(payload: Payload) -> bool:
    """
    Which commands may travel with others: the payload says so.
    """
    return bool(payload["joins"])


def _handed(attempt: Attempt) -> Handed:
    draft = attempt.fate.draft
    return Handed(command=draft.id, attempt=attempt.number, payload=draft.payload)


class Machine(RuleBasedStateMachine):
    """
    A store in memory and a model, through whatever may happen.
    """

    sent: Bundle[str] = Bundle("sent")
    reports: Bundle[tuple[str, Said]] = Bundle("reports")

    def __init__(self) -> None:
        super().__init__()
        self.now = Now(wall=WALL, steady=STEADY)
        self.lowest = WALL
        """What the wall showed at least since the last sweep."""
        self.model = Model({name: Party() for name in DEVICES})
        self.heard: list[Event] = []
        self.reported = 0
        self.store = self.make()
        self.begin(self.store.open(self.now))

    def make(self) -> SqliteStore:
        """
        A store that is not open yet.
        """
        return SqliteStore(path=MEMORY)

    def reopen(self) -> Known:
        """
        Do what a new process does first; a database in memory would not outlive more.
        """
        connection = self.store._writer.connection  # type: ignore[attr-defined]
        return at_once(connection, partial(lists.known, now=self.now))

    def begin(self, known: Known) -> None:
        """
        Let memory start from what the store knows, and follow it.
        """
        self.known, self.queued, self.reportable = known, Queued(), Reportable()
        self.queued.recall(known)
        self.reportable.recall(known)

    def hear(self, event: Event) -> None:
        """
        Follow the feed as the core does.
        """
        self.heard.append(event)
        self.queued.heard(event)
        self.reportable.heard(event)

    def teardown(self) -> None:
        """
        Leave nothing behind.
        """
        gave(self.store.close())

    @initialize(target=sent, wanted=st.lists(terms, min_size=3, max_size=6))
    def arrive(self, wanted: list[dict[str, Any]]) -> MultipleResults[str]:
        """
        There are devices of both dialects, for which commands wait.
        """
        self.store.subscribe(self.hear)
        for name in DEVICES:
            gave(self.store.add_device(device(name), False, self.now))
            self.model.introduce(name, self.now)
        queued = [self._put(**each) for each in wanted]
        return multiple(*(name for name in queued if isinstance(name, str)))

    # Senders

    @rule(target=sent, wanted=terms, held=st.booleans(), uuid=uuids)
    def put(self, wanted: dict[str, Any], held: bool, uuid: str | None) -> Any:
        """
        A sender sends, or repeats a request, while the device polls, or does not.
        """
        queued = self._put(**wanted)
        if held:
            self._poll(wanted["name"], uuid)
        return queued

    def _put(self, name: str, endpoint: str, joins: bool, later: int | None, **fields: Any) -> Any:
        not_before = None if later is None else self.now.wall + 1000 * later
        payload = {"endpoint": endpoint, "joins": joins}
        wanted = draft(self._next(), name, payload, not_before=not_before, **fields)
        return self._queued(
            outcome(lambda: gave(self.store.put(wanted, False, QUEUE_LIMIT, self.now))),
            outcome(lambda: self.model.put(wanted, QUEUE_LIMIT, self.now)),
        )

    def _resend(self, command: str) -> Any:
        before = self.model.fates[command].draft
        again = evolve(draft(self._next(), before.device, before.payload), resend_of=command)
        return self._queued(
            outcome(lambda: gave(self.store.resend(again, False, QUEUE_LIMIT, self.now))),
            outcome(lambda: self.model.resend(again, QUEUE_LIMIT, self.now)),
        )

    def _next(self) -> int:
        return len(self.model.fates) + 1

    def _queued(self, real: Any, expected: tuple[Fate, bool] | type[PushdError]) -> str | MultipleResults[str]:
        if isinstance(expected, type):
            assert real is expected
            return multiple()
        fate, fresh = expected
        assert not isinstance(real, type), real
        assert (real[0].id, real[1]) == (fate.draft.id, fresh)
        return fate.draft.id

    # Devices

    @rule(name=devices, uuid=uuids, batch=st.sampled_from([1, 3, 3]))
    def poll(self, name: str, uuid: str | None, batch: int) -> None:
        """
        A device polls; Control iD's under a name that is new, repeated, or missing; with batches, or without.
        """
        self._poll(name, uuid, batch)

    def _poll(self, name: str, uuid: str | None, batch: int = 1) -> None:
        if name in READERS:
            self._claim(name, uuid, True, batch, joins if batch > 1 else never)
        else:
            self._claim(name, None, False, 1, never)

    def _claim(self, name: str, uuid: str | None, sequential: bool, limit: int, joins: Joins) -> None:
        due = self.queued.due(name)
        expected = self.model.claim(name, uuid, sequential, limit, joins, self.now)
        if due is None or due > self.now.wall:
            assert not expected, "memory says that there is nothing"
            return
        claim = gave(self.store.claim(name, uuid, sequential, limit, self.now, joins))
        self.queued.looked(name, claim)
        assert claim.handed == tuple(_handed(fate.attempts[-1]) for fate in expected)

    @rule(command=sent, older=st.booleans())
    def hang_up(self, command: str, older: bool) -> None:
        """
        A connection had gone before a byte of its answer was written; we may learn of it late, and twice.
        """
        attempts = self.model.fates[command].attempts
        if attempts and self.now.wall - attempts[-1].sent_at <= GRACE:  # no answer waits for longer
            answer = tuple(map(_handed, attempts[0 if older else -1].together))
            for one in answer + answer:
                gave(self.store.unsend([one], self.now))
                self.model.unsend(one.command, one.attempt, self.now)

    @rule(name=speakers, command=sent)
    def acknowledge(self, name: str | None, command: str) -> None:
        """
        A container says that it has a message, its own or another's.
        """
        name = name or self._owner(command)
        if self.model.parties[name].admission is Admission.BLOCKED:
            return  # the reception turns it away
        gave(self.store.acknowledge(name, command, self.now))
        self.model.acknowledge(name, command, self.now)

    @rule(
        target=reports,
        name=speakers,
        message=sent,
        verdict=verdicts,
        result=results,
    )
    def report_by_message(self, name: str | None, message: str, verdict: Verdict, result: str) -> Any:
        """
        A container reports on a message, its own or another's.
        """
        return self._report(name or self._owner(message), Said(message=message, verdict=verdict, result=result))

    def _owner(self, command: str) -> str:
        owner = self.model.fates[command].draft.device
        return owner if owner in CONTAINERS else CONTAINERS[0]

    @rule(
        target=reports,
        name=readers,
        uuid=uuids | st.just("foreign"),
        endpoint=st.none() | endpoints,
        verdict=verdicts,
        result=results,
        parts=st.none() | entries,
    )
    def report_by_name(self, name: str, parts: Mapping[int, tuple[Verdict, str]] | None, **said: Any) -> Any:
        """
        A Control iD device reports, under the name of a poll, a foreign one, or none; of each of a batch, or of all.
        """
        told: Any = parts and {place: Said(verdict=verdict, result=text) for place, (verdict, text) in parts.items()}
        return self._report(name, Said(parts=told, **said))

    @rule(report=reports)
    def report_again(self, report: tuple[str, Said]) -> None:
        """
        A device repeats what it said before.
        """
        self._report(*report)

    def _report(self, name: str, said: Said) -> Any:
        if self.model.parties[name].admission is not Admission.APPROVED:
            return multiple()  # the reception turns it away
        self.reported += 1
        said = evolve(said, raw=str(self.reported).encode())
        settlement = gave(self.store.settle(name, said, self.now))
        expected = self.model.settle(name, said, self.now)
        assert settlement is expected, (settlement, expected)
        return name, said

    # Operators

    @rule(target=sent, command=sent, word=st.sampled_from(["cancel", "resend", "resend", "it worked", "it did not"]))
    def decide(self, command: str, word: str) -> Any:
        """
        An operator takes one back, sends it again, or says how it ended.
        """
        if word == "resend":
            return self._resend(command)
        if word == "cancel":
            self._cancel(command)
        else:
            self._resolve(command, Move.RESOLVE_SUCCEEDED if word == "it worked" else Move.RESOLVE_FAILED)
        return multiple()

    def _cancel(self, command: str) -> None:
        self._same(
            lambda: gave(self.store.cancel(command, self.now)).id,
            lambda: self.model.cancel(command, self.now).draft.id,
        )

    def _resolve(self, command: str, move: Move) -> None:
        self._same(
            lambda: gave(self.store.resolve(command, move, "a note", "ana", self.now)).id,
            lambda: self.model.resolve(command, move, "a note", self.now).draft.id,
        )

    def _same(self, real: Callable[[], str], expected: Callable[[], str]) -> None:
        assert outcome(real) == outcome(expected)

    @rule(name=devices, change=st.sampled_from(["block", "sign off", "forget"]))
    def leave(self, name: str, change: str) -> None:
        """
        A device goes away, or is sent away, for a while.
        """
        if self.model.parties[name].admission is None:
            return
        if change == "forget":
            self._forget(name)
        elif change == "block":
            self._admit(name, Admission.BLOCKED)
        else:
            self._note(name, PresenceState.SIGNED_OFF)

    def _return(self, name: str) -> None:
        if self.model.parties[name].admission is None:
            gave(self.store.add_device(device(name), False, self.now))
            self.model.introduce(name, self.now)
        self._admit(name, Admission.APPROVED)
        self._note(name, PresenceState.ONLINE)

    def _admit(self, name: str, admission: Admission) -> None:
        gave(self.store.change_device(name, {"admission": admission}, self.now))
        self.model.admit(name, admission, self.now)

    def _note(self, name: str, presence: PresenceState) -> None:
        gave(self.store.note_presence(name, presence, self.now))
        self.model.note(name, presence, self.now)

    def _forget(self, name: str) -> None:
        heard, told = len(self.heard), len(self.model.feed)
        gave(self.store.forget_device(name, self.now))
        self.model.forget(name, self.now)
        # its commands end at once, in whatever order
        self.heard[heard:-1] = sorted(self.heard[heard:-1], key=lambda event: event.command or "")
        self.model.feed[told:-1] = sorted(self.model.feed[told:-1], key=lambda entry: entry.command or "")

    # Clocks

    @rule(passed=seconds, sweeps=st.sampled_from([True, True, False]))
    def wait(self, passed: int, sweeps: bool) -> None:
        """
        Time passes, who was away returns, and what time ends is ended, unless somebody is faster.
        """
        self._turn(passed, passed)
        for name in DEVICES:
            self._return(name)
        if sweeps:
            self.lowest = self.now.wall
            assert gave(self.store.lapse(ALL, self.now)) == self.model.lapse(self.now)
            assert gave(self.store.expire(ALL, self.now)) == self.model.expire(self.now)

    @rule(step=st.sampled_from([-60, -10, -5, -1, 1, 5, 60]), away=st.sampled_from([None, None, 1, 10, 60]))
    def disturb(self, step: int, away: int | None) -> None:
        """
        Somebody sets the clock on the wall; or we stop, or die, and start again a while later.
        """
        if away is None:
            self._turn(step, 0)
        else:
            self._restart(away)

    def _turn(self, wall: int, steady: int) -> None:
        self.now = Now(wall=self.now.wall + 1000 * wall, steady=self.now.steady + 1000 * steady)
        self.lowest = min(self.lowest, self.now.wall)

    def _restart(self, away: int) -> None:
        self._turn(away, 0)
        self.now = evolve(self.now, steady=STEADY // 2)  # another process counts its time from elsewhere
        self.begin(self.reopen())
        self.model.restart(self.now)
        fates = self.model.fates.values()
        assert self.known.queued == {fate.draft.device for fate in fates if fate.state is State.QUEUED}
        assert self.known.last_command == max(self.model.fates, default=None)
