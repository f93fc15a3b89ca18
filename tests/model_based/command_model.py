"""The reference model of one command, in plain Python; written from the text of the design, not from the store's SQL.

All durations and timestamps are in milliseconds.
"""

from attrs import define, field

from pushd.model.command import Draft
from pushd.model.large_text import Text
from pushd.model.lifecycle import Delivery, Move, State
from pushd.model.result import Verdict
from pushd.model.timestamps import Now

ANY_TEXT = "(any text)"
"""The error of a command that the server ended; the design does not fix the text."""

SETTLED = {Move.SUCCEED: State.SUCCEEDED, Move.FAIL: State.FAILED, Move.GARBLE: State.UNKNOWN}
RESOLVED = {Move.RESOLVE_SUCCEEDED: State.SUCCEEDED, Move.RESOLVE_FAILED: State.FAILED}


@define(eq=False)
class Attempt:
    """One sending of a command; ``batch`` has all attempts of the same answer, in order."""

    command: "CommandModel"
    number: int
    uuid: str | None
    sent_at: int
    batch: "list[Attempt]"
    position: int | None
    """Its position in the answer, from 1; None if it was sent alone."""

    @property
    def in_flight(self) -> bool:
        """Whether the lease of this attempt is open."""
        return self.command.in_flight and self.number == len(self.command.attempts)


@define(eq=False)
class CommandModel:
    """A command and what becomes of it."""

    id: str
    draft: Draft
    created_at: int
    created_elapsed: int
    """The same by elapsed time, which no step of the wall clock moves."""
    state: State = State.QUEUED
    attempts: list[Attempt] = field(factory=list)
    max_attempts: int = field(init=False)
    expires_at: int = field(init=False)
    expires_elapsed: int = field(init=False)
    """When it is too old by elapsed time."""
    lease_until: int | None = None
    deadline_until: int | None = None
    """No lease of the latest attempt lasts longer."""
    acknowledged_at: int | None = None
    finished_at: int | None = None
    result: Text | None = None
    error: str | None = None
    late: bool = False
    evidence: str | None = None
    matched_by: str | None = None
    resent_as: str | None = None
    cancelled: bool = False
    """Whether an operator allows no further attempt, whatever becomes of the one in flight."""

    def __attrs_post_init__(self) -> None:
        self.max_attempts = self.draft.terms.max_attempts
        starts = max(self.created_at, self.draft.terms.not_before or 0)
        self.expires_at = starts + round(self.draft.terms.ttl * 1000)
        self.expires_elapsed = self.created_elapsed + self.expires_at - self.created_at

    @property
    def in_flight(self) -> bool:
        """Whether a lease is open."""
        return self.state in (State.SENT, State.ACKNOWLEDGED)

    @property
    def in_doubt(self) -> bool:
        """Whether it was sent, has no lease, and its outcome is not known."""
        return self.state is State.UNKNOWN or (self.state is State.QUEUED and bool(self.attempts))

    @property
    def sent_at(self) -> int | None:
        """When it was sent last."""
        return self.attempts[-1].sent_at if self.attempts else None

    @property
    def _lease(self) -> int:
        return round(self.draft.lease * 1000)

    @property
    def _deadline(self) -> int:
        return round(self.draft.terms.deadline * 1000)

    @property
    def _may_repeat(self) -> bool:
        return self.draft.terms.delivery is Delivery.AT_LEAST_ONCE and len(self.attempts) < self.max_attempts

    def is_sendable(self, now: Now) -> bool:
        """Whether it may still be sent, now or later."""
        return self.state is State.QUEUED and self._is_live(now)

    def _is_live(self, now: Now) -> bool:
        """Whether it is too old by neither clock."""
        return now.wall < self.expires_at and now.elapsed < self.expires_elapsed

    def _remember_age(self, now: Now) -> None:
        """What is too old by the wall clock now stays so when that is set back."""
        self.expires_elapsed = min(self.expires_elapsed, now.elapsed + self.expires_at - now.wall)

    def notice_step(self, latest: int, now: Now) -> None:
        """The wall clock was set; ``latest`` is the latest wall time before and after."""
        if self.state is State.QUEUED:
            if (self.draft.terms.not_before or 0) > latest:  # its time to live has not begun: it moves with the clock
                self.expires_elapsed = now.elapsed + self.expires_at - now.wall
            self._remember_age(now)

    def is_due(self, now: Now) -> bool:
        """Whether it may be sent now."""
        return self.is_sendable(now) and (self.draft.terms.not_before or 0) <= now.wall

    def lease_ended(self, now: Now) -> bool:
        """Whether its lease has run out."""
        return self.lease_until is not None and self.lease_until <= now.steady

    def send(self, uuid: str | None, batch: list[Attempt], position: int | None, now: Now) -> Attempt:
        """Claim it for a poll: a new attempt, with a lease that its deadline bounds."""
        attempt = Attempt(self, len(self.attempts) + 1, uuid, now.wall, batch, position)
        self.attempts.append(attempt)
        batch.append(attempt)
        self.state, self.acknowledged_at = State.SENT, None
        self.deadline_until = now.steady + self._deadline
        self.lease_until = min(now.steady + self._lease, self.deadline_until)
        return attempt

    def unsend(self, now: Now) -> Attempt:
        """Undo the latest attempt, of which nothing was written; returns it."""
        self._remember_age(now)
        attempt = self.attempts.pop()
        attempt.batch.remove(attempt)
        self.state = State.QUEUED
        self._end_lease()
        return attempt

    def acknowledge(self, now: Now) -> bool:
        """The device has received it: renew or reopen its lease; False if its state does not allow that."""
        if not self.in_flight and not self.in_doubt:
            return False
        if not self.in_flight:
            self.deadline_until, self.error = self._reopened_deadline(now), None
        assert self.deadline_until is not None
        self.lease_until = min(now.steady + self._lease, self.deadline_until)
        self.acknowledged_at = now.wall if self.acknowledged_at is None else self.acknowledged_at
        self.state, self.evidence = State.ACKNOWLEDGED, "device"
        self.finished_at = None
        return True

    def settle(self, verdict: Verdict, result: Text | None, matched_by: str, late: bool, now: Now) -> None:
        """End it by a device's result."""
        self._end(SETTLED[verdict.move], verdict.error, now)
        self.result, self.late, self.evidence, self.matched_by = result, late, "device", matched_by

    def lapse(self, now: Now) -> None:
        """Its lease ran out."""
        self.evidence = None
        self._remember_age(now)
        if self._may_repeat and self._is_live(now):
            self.state = State.QUEUED
            self._end_lease()
            self.error = None
        else:
            self._end(State.UNKNOWN, ANY_TEXT, now)

    def expire(self, now: Now) -> None:
        """Its time to live is over."""
        self._end(State.UNKNOWN if self.attempts else State.EXPIRED, ANY_TEXT, now)

    def cancel(self, now: Now) -> bool:
        """An operator cancels it, as far as possible; False if it is too late."""
        if self.state is State.QUEUED and self.attempts:
            self._end(State.UNKNOWN, ANY_TEXT, now)
        elif self.state is State.QUEUED:
            self._end(State.CANCELLED, None, now)
            self.evidence = "operator"
        elif self.in_flight and self.draft.terms.delivery is Delivery.AT_LEAST_ONCE:
            self.max_attempts, self.error, self.cancelled = len(self.attempts), ANY_TEXT, True
        else:
            return self.state is State.CANCELLED
        return True

    def forget(self, now: Now) -> None:
        """Its device was deleted."""
        if self.state is State.QUEUED:
            self.cancel(now)
        else:
            self.evidence = None
            self._end(State.UNKNOWN, ANY_TEXT, now)

    def resolve(self, move: Move, note: str, now: Now) -> None:
        """An operator sets its outcome."""
        state = RESOLVED[move]
        self._end(state, note if state is State.FAILED else None, now)
        self.evidence = "operator"

    def restart(self, now: Now) -> None:
        """The server was down: its lease gets its whole time again."""
        if self.in_flight:
            self.lease_until = now.steady + self._lease
            self.deadline_until = self._reopened_deadline(now)

    def _reopened_deadline(self, now: Now) -> int:
        """What is left of the deadline in wall time, but at least one lease."""
        assert self.sent_at is not None
        return now.steady + max(self._lease, self.sent_at + self._deadline - now.wall)

    def _end(self, state: State, error: str | None, now: Now) -> None:
        self.state, self.error, self.finished_at = state, error, now.wall
        self._end_lease()

    def _end_lease(self) -> None:
        self.lease_until = self.deadline_until = None
