"""What becomes of commands, in plain Python: the promises without a database, to compare a store with."""

from collections.abc import Iterator

from attrs import define, field

from pushd.model.lifecycle import ENDED, OUT, RESENDABLE, Delivery, Move, State
from pushd.model.result import Verdict
from pushd.model.timestamps import Now
from pushd.store.filters import Settlement

VERDICTS = {Move.SUCCEED: State.SUCCEEDED, Move.FAIL: State.FAILED, Move.GARBLE: State.UNKNOWN}
RESOLUTIONS = {Move.RESOLVE_SUCCEEDED: State.SUCCEEDED, Move.RESOLVE_FAILED: State.FAILED}


@define(kw_only=True)
class PlainCommand:
    """A command; all times and durations in milliseconds."""

    id: str
    delivery: Delivery
    priority: int
    not_before: int
    expires_at: int
    max_attempts: int
    lease: int
    deadline: int
    resend_of: str | None = None
    state: State = State.QUEUED
    attempts: int = 0
    sent_at: int | None = None
    acknowledged_at: int | None = None
    finished_at: int | None = None
    evidence: str | None = None
    result: str | None = None
    error: str | None = None
    late: bool = False
    matched_by: str | None = None
    resent_as: str | None = None
    lease_until: int | None = None
    deadline_until: int | None = None

    def end(self, state: State, now: Now) -> None:
        """Bring it to an end."""
        assert state in ENDED
        self.state, self.finished_at = state, now.wall
        self.lease_until = self.deadline_until = None

    def wait(self) -> None:
        """Bring it back into the queue."""
        self.state = State.QUEUED
        self.lease_until = self.deadline_until = None

    def may_be_reported(self) -> bool:
        """Whether a device may speak of it."""
        return self.state in OUT or (self.state in (State.UNKNOWN, State.QUEUED) and self.attempts > 0)

    def work_left(self, now: Now) -> int:
        """What is left of the time for the work of the latest attempt, or a whole lease."""
        assert self.sent_at is not None
        return now.steady + max(self.lease, self.deadline - (now.wall - self.sent_at))


@define(kw_only=True)
class PlainAttempt:
    """That a command was handed over."""

    command: PlainCommand
    number: int
    uuid: str
    sent_at: int


@define
class PlainStore:
    """The commands of one device that takes several at a time."""

    commands: dict[str, PlainCommand] = field(factory=dict)
    attempts: list[PlainAttempt] = field(factory=list)

    def claim(self, uuid: str, now: Now) -> PlainCommand | None:
        """Hand over the best."""
        ready = [each for each in self._in(State.QUEUED) if each.not_before <= now.wall < each.expires_at]
        if not ready:
            return None
        best = min(ready, key=lambda each: (-each.priority, each.id))
        best.state, best.sent_at, best.acknowledged_at = State.SENT, now.wall, None
        best.attempts += 1
        best.deadline_until = now.steady + best.deadline
        best.lease_until = now.steady + min(best.lease, best.deadline)
        self.attempts.append(PlainAttempt(command=best, number=best.attempts, uuid=uuid, sent_at=now.wall))
        return best

    def unsend(self, command: PlainCommand, number: int, now: Now) -> None:
        """Take an attempt back, if it is the one that is out; one that was cancelled meanwhile is not sent again."""
        if command.state is not State.SENT or command.attempts != number:
            return
        command.wait()
        command.attempts -= 1
        self.attempts = [each for each in self.attempts if (each.command.id, each.number) != (command.id, number)]
        command.sent_at = next((each.sent_at for each in reversed(self.attempts) if each.command is command), None)
        if command.error is not None:
            self.cancel(command, now)

    def acknowledge(self, command: PlainCommand, now: Now) -> None:
        """Note the device's word that it has it."""
        if not command.may_be_reported():
            return
        if command.deadline_until is None:
            command.deadline_until = command.work_left(now)
            command.error = None
        command.lease_until = min(now.steady + command.lease, command.deadline_until)
        command.state, command.evidence = State.ACKNOWLEDGED, "device"
        command.finished_at = None
        if command.acknowledged_at is None:
            command.acknowledged_at = now.wall

    def settle(
        self, command: PlainCommand, number: int, matched_by: str, verdict: Verdict, result: str, now: Now
    ) -> Settlement:
        """Note the device's word on how it went."""
        end = VERDICTS[verdict.move]
        same = (command.state, command.evidence, command.error) == (end, "device", verdict.error)
        if same and (end is not State.UNKNOWN or command.result == result):
            return Settlement.REPEATED
        if not command.may_be_reported():
            return Settlement.ORPHANED
        command.late = command.state not in OUT or number != command.attempts
        command.end(end, now)
        command.evidence, command.matched_by = "device", matched_by
        command.result, command.error = result, verdict.error
        return Settlement.SETTLED

    def lapse(self, now: Now) -> None:
        """Give up what has had its time."""
        for command in self._in(*OUT):
            assert command.lease_until is not None
            if command.lease_until > now.steady:
                continue
            command.evidence = command.error = None
            repeats = command.delivery is Delivery.AT_LEAST_ONCE and command.attempts < command.max_attempts
            if repeats and command.expires_at > now.wall:
                command.wait()
            else:
                command.end(State.UNKNOWN, now)
                command.error = "the lease ran out without a result"

    def expire(self, now: Now) -> None:
        """End what was not sent in time."""
        for command in self._in(State.QUEUED):
            if command.expires_at <= now.wall:
                command.end(State.UNKNOWN if command.attempts else State.EXPIRED, now)
                command.error = "the time to live is over"

    def cancel(self, command: PlainCommand, now: Now) -> bool:
        """Take it back as far as can be; False if it cannot."""
        if command.state is State.QUEUED and command.attempts == 0:
            command.end(State.CANCELLED, now)
            command.evidence, command.error = "operator", None
        elif command.state is State.QUEUED:
            command.end(State.UNKNOWN, now)
            command.error = "cancelled after it may have run"
        elif command.state in OUT and command.delivery is Delivery.AT_LEAST_ONCE:
            command.max_attempts = command.attempts
            command.error = "cancelled: there is no further attempt"
        else:
            return command.state is State.CANCELLED
        return True

    def resolve(self, command: PlainCommand, move: Move, note: str, now: Now) -> bool:
        """Note the operator's word on how it went; False if it is not asked for."""
        end = RESOLUTIONS[move]
        if command.state is not State.UNKNOWN:
            return command.state is end and command.evidence == "operator"
        command.end(end, now)
        command.evidence, command.error = "operator", note if end is State.FAILED else None
        return True

    def may_resend(self, command: PlainCommand) -> bool:
        """Whether another may take its place."""
        return command.state in RESENDABLE and command.resent_as is None

    def restart(self, now: Now) -> None:
        """Give what is out its time again."""
        for command in self._in(*OUT):
            command.lease_until = now.steady + command.lease
            command.deadline_until = command.work_left(now)

    def _in(self, *states: State) -> Iterator[PlainCommand]:
        return (command for command in list(self.commands.values()) if command.state in states)
