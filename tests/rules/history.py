"""What senders, devices, operators and clocks do with commands, with the promises that the rules keep."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, TypeVar

from attrs import define, evolve, field

from pushd.model.command import Dispatched, Draft, SendOptions
from pushd.model.device import Admission
from pushd.model.errors import KeyReused, PushdError
from pushd.model.lifecycle import ENDED, OUT, Delivery, Move, State
from pushd.model.timestamps import Now, milliseconds
from pushd.rules.operator_actions import Cancel, Resend, Resolve
from pushd.rules.outcomes import Claim, Settlement
from pushd.rules.queueing import ClaimNext, Enqueue, Unsend
from pushd.rules.records import CommandRecord, DeviceRecord
from pushd.rules.reporting import Acknowledge, Settle
from pushd.rules.time_limits import StepClock
from pushd.rules.view import Rule, View
from tests.model_based import strategies
from tests.rules.narrow_view import NarrowView
from tests.rules.plain_view import APPROVED, PlainView
from tests.store.samples import StubResult, draft

T = TypeVar("T")

MAX_QUEUED = 4

FINAL = (State.SUCCEEDED, State.FAILED, State.EXPIRED, State.CANCELLED)
"""States that a command never leaves."""

Wanted = dict[str, Any]
"""What a sender asks for, see :mod:`tests.model_based.strategies`."""


@define(eq=False)
class History:
    """What senders, devices, operators and clocks did: they let rules decide on one view."""

    view: PlainView = field(factory=PlainView)
    drafts: dict[str, tuple[Draft, Now]] = field(factory=dict)
    """The drafts that were queued, and when."""
    answers: list[tuple[Dispatched, ...]] = field(factory=list)
    """To polls."""
    handed: dict[str, list[Dispatched]] = field(factory=dict)
    """By command, what was handed to the device and not taken back."""
    cancelled: set[str] = field(factory=set)
    """The commands that an operator cancelled, in the queue or in flight."""
    polls: dict[str, tuple[str | None, tuple[Dispatched, ...]]] = field(factory=dict)
    """By device, the uuid of the last poll that got an answer, and what was in it."""

    @property
    def now(self) -> Now:
        """The time."""
        return self.view.now

    def decide(self, made: Rule[T]) -> T | PushdError:
        """Let a rule decide, and once more on a copy of the view, of which it sees only what it needs; if it fails, it
        has changed nothing.
        """
        before, twin = self.view.copy(), NarrowView.of(self.view, made.needs())
        outcome, again = _outcome(made, self.view), _outcome(made, twin)
        assert (repr(again), twin.copy()) == (repr(outcome), self.view), "the same view, the same decision"
        if isinstance(outcome, PushdError):
            assert self.view == before, "a rule that fails changes nothing"
        self._check_transitions(before)
        return outcome

    def _check_transitions(self, before: PlainView) -> None:
        recorded = [(str(kind), command) for kind, _, command in self.view.events[len(before.events) :]]
        for name, command in self.view.commands.items():
            former = before.commands.get(name)
            if former is None or former.state is not command.state:
                is_resolved = command.evidence == "operator" and command.state is not State.CANCELLED
                assert (f"command.{'resolved' if is_resolved else command.state}", name) in recorded
                assert former is None or former.state not in FINAL, "an outcome that is known is final"

    def pick(self, back: int) -> CommandRecord:
        """One of the commands, counted from the newest; there is always one."""
        names = list(self.view.commands)
        return self.view.commands[names[-1 - back % len(names)]]

    def new_draft(self, wanted: Wanted) -> Draft:
        """A draft with these terms."""
        terms = dict(wanted)
        later, payload = terms.pop("later"), {name: terms.pop(name) for name in ("endpoint", "batchable")}
        not_before = None if later is None else self.now.wall + milliseconds(later)
        return draft(payload=payload, not_before=not_before, **terms)

    def keep(self, command: str, sent: Draft) -> None:
        """Remember the draft of a command that was queued."""
        assert self.view.count_queued(sent.device) <= MAX_QUEUED
        self.drafts[command] = sent, self.now

    def enqueue(self, wanted: Wanted) -> None:
        """A sender queues a command, if that is allowed; a key gives one command."""
        sent = self.new_draft(wanted)
        earlier = self._with_key(sent)
        outcome = self.decide(Enqueue(sent, queue_signed_off=False, max_queued=MAX_QUEUED))
        if isinstance(outcome, PushdError):
            is_reused = earlier is not None and earlier.fingerprint != sent.fingerprint
            assert isinstance(outcome, KeyReused) == is_reused
            return
        command, is_new = outcome
        assert is_new == (earlier is None)
        if earlier is None:
            self.keep(command.id, sent)
        else:
            assert self.drafts[command.id][0] is earlier

    def _with_key(self, sent: Draft) -> Draft | None:
        if sent.idempotency_key is None:
            return None
        return next((each for each, _ in self.drafts.values() if _key(each) == _key(sent)), None)

    def claim(self, name: str, uuid: str | None, limit: int, sequential: bool) -> None:
        """A device polls: it gets the first of its commands that may be sent."""
        expected = self._expected(name, uuid, limit, sequential)
        claim = self.decide(ClaimNext(name, uuid, sequential, limit, strategies.batchable))
        assert isinstance(claim, Claim)
        assert [each.command for each in claim.dispatched] == [command.id for command in expected]
        for dispatched in claim.dispatched:
            self._check_in_time(dispatched.command)
            assert dispatched.command not in self.cancelled
            self.handed.setdefault(dispatched.command, []).append(dispatched)
        if claim.dispatched:
            self.answers.append(claim.dispatched)
            self.polls[name] = uuid, claim.dispatched

    def _expected(self, name: str, uuid: str | None, limit: int, sequential: bool) -> Sequence[CommandRecord]:
        device = self.view.devices.get(name, APPROVED)
        may_receive = device.admission is Admission.APPROVED and device.is_served
        if not may_receive or (sequential and self._is_repeated(name, uuid)):
            return []
        sendable = [command for command in self.view.commands.values() if self._is_sendable(command, name)]
        sendable.sort(key=lambda command: (-command.priority, command.id))
        leading = takewhile(lambda command: strategies.batchable(self.view.payload(command)), sendable[:limit])
        return list(leading) or sendable[:1]

    def _is_repeated(self, name: str, uuid: str | None) -> bool:
        last, dispatched = self.polls.get(name, (None, ()))
        return uuid is not None and uuid == last and any(self._is_out(each) for each in dispatched)

    def _is_out(self, dispatched: Dispatched) -> bool:
        return self._is_current(dispatched) and self.view.commands[dispatched.command].state in OUT

    def _is_current(self, dispatched: Dispatched) -> bool:
        handed = self.handed[dispatched.command]
        return bool(handed) and handed[-1] is dispatched

    def _is_sendable(self, command: CommandRecord, name: str) -> bool:
        return (
            (command.device, command.state) == (name, State.QUEUED)
            and (command.not_before or 0) <= self.now.wall < command.expires_at
            and self.now.elapsed < command.expires_elapsed
            and command.attempts < command.max_attempts
        )

    def _check_in_time(self, command: str) -> None:
        sent, put_at = self.drafts[command]
        ttl, due = milliseconds(sent.terms.ttl), sent.terms.not_before
        assert (due or 0) <= self.now.wall < max(put_at.wall, due or 0) + ttl
        if due is None:  # otherwise its time begins when the wall clock shows it, however long that takes
            assert self.now.elapsed < put_at.elapsed + ttl

    def unsend(self, back: int) -> None:
        """The connection of an answer was lost before a byte was written; that of an older claim changes nothing."""
        if not self.answers:
            return
        answer = self.answers[-1 - back % len(self.answers)]
        before = dict(self.view.commands)
        self.decide(Unsend(answer))
        for dispatched in answer:
            command, after = before[dispatched.command], self.view.commands[dispatched.command]
            if self._is_current(dispatched) and command.state is State.SENT:
                self.handed[dispatched.command].pop()
                assert after.state in (State.QUEUED, State.CANCELLED, State.UNKNOWN)
            else:
                assert after == command

    def acknowledge(self, back: int, other: str | None) -> None:
        """A device, the command's or another one, acknowledges a command."""
        before, command = dict(self.view.commands), self.pick(back)
        device = other or command.device
        self.decide(Acknowledge(device, command.id))
        self._check_only_handed_out_changed(before, device)

    def settle(self, back: int, other: str | None, by: str, uuid: str | None, report: StubResult) -> None:
        """A device, the command's or another one, reports the result of a command."""
        before, command = dict(self.view.commands), self.pick(back)
        device = other or command.device
        by_message, by_uuid = command.id if by == "message" else None, uuid if by == "uuid" else None
        outcome = self.decide(Settle(device, evolve(report, message=by_message, uuid=by_uuid)))
        if by_message is not None and device == command.device and command.state in _REPORTS:
            agrees = report.verdict.move is _REPORTS[command.state] and command.evidence == "device"
            assert (outcome is Settlement.REPEATED) == agrees
        self._check_only_handed_out_changed(before, device)

    def _check_only_handed_out_changed(self, before: dict[str, CommandRecord], device: str) -> None:
        for name, command in self.view.commands.items():
            if command != before[name]:
                assert self.handed.get(name), "only what was handed out can be reported on"
                assert command.device == device

    def cancel(self, back: int) -> None:
        """An operator cancels a command."""
        command = self.pick(back).id
        if not isinstance(self.decide(Cancel(command)), PushdError):
            self.cancelled.add(command)

    def resolve(self, back: int, move: Move) -> None:
        """An operator says how a command ended."""
        self.decide(Resolve(self.pick(back).id, move, "seen", "admin"))

    def resend(self, back: int, wanted: Wanted) -> None:
        """An operator sends a command once more: only once."""
        before = self.pick(back)
        sent: Draft = evolve(self.new_draft(wanted | {"name": before.device, "key": None}), resend_of=before.id)
        outcome = self.decide(Resend(sent, False, MAX_QUEUED))
        if isinstance(outcome, PushdError):
            return
        successor, is_new = outcome
        assert is_new == (before.resent_as is None)
        assert self.view.commands[before.id].resent_as == successor.id
        if is_new:
            self.keep(successor.id, sent)

    def sweep(self, transition: Callable[[str], Rule[None]]) -> None:
        """A sweep looks at all commands, whether or not their time has come."""
        for before in list(self.view.commands.values()):
            self.decide(transition(before.id))
            after = self.view.commands[before.id]
            assert after == before or self._is_over(before)
            assert after.state is before.state or after.state in ENDED or not self._is_expired(before)

    def _is_over(self, command: CommandRecord) -> bool:
        if command.lease_until is not None:
            return command.lease_until <= self.now.steady
        return self._is_expired(command)

    def _is_expired(self, command: CommandRecord) -> bool:
        return command.expires_elapsed <= self.now.elapsed or command.expires_at <= self.now.wall

    def change_device(self, name: str, record: DeviceRecord) -> None:
        """An operator changes the admission of a device, or it signs on or off."""
        self.view.devices[name] = record

    def pass_time(self, seconds: int, stalls: bool) -> None:
        """Time passes; steady time does not while the server stalls."""
        passed = milliseconds(seconds)
        steady = self.now.steady if stalls else self.now.steady + passed
        self.view.now = Now(self.now.wall + passed, steady, self.now.elapsed + passed)

    def step_clock(self, seconds: int, is_noticed: bool) -> None:
        """The wall clock is set; rules may decide before that is noticed."""
        wall = self.now.wall
        self.view.now = evolve(self.now, wall=wall + milliseconds(seconds))
        for command in list(self.view.commands) if is_noticed else ():
            self.decide(StepClock(command, max(wall, self.now.wall)))

    def check(self) -> None:
        """What holds at any time."""
        for name, command in self.view.commands.items():
            self._check_attempts(command, self.handed.get(name, []), self.drafts[name][0].terms)
            assert (command.finished_at is not None) == (command.state in ENDED)
            assert (command.lease_until is not None) == (command.state in OUT)
            assert (command.deadline_until is not None) == (command.state in OUT)

    def _check_attempts(self, command: CommandRecord, handed: Sequence[Dispatched], terms: SendOptions) -> None:
        stored = [(each.number, each.handover) for each in self.view.attempts if each.command == command.id]
        assert stored == [(each.attempt, each.handover) for each in handed]
        assert command.attempts == len(handed) <= command.max_attempts <= terms.max_attempts
        if terms.delivery is Delivery.AT_MOST_ONCE:
            assert command.attempts <= 1
        if command.state in (State.EXPIRED, State.CANCELLED):
            assert command.attempts == 0
        if command.state is State.QUEUED:
            assert command.attempts < command.max_attempts


_REPORTS = {State.SUCCEEDED: Move.SUCCEED, State.FAILED: Move.FAIL}
"""What a device reports again of a command whose outcome is known."""


def _key(sent: Draft) -> tuple[str, str, str | None]:
    return sent.created_by, sent.device, sent.idempotency_key


def _outcome(made: Rule[T], view: View) -> T | PushdError:
    try:
        return made.decide(view)
    except PushdError as error:
        return error
