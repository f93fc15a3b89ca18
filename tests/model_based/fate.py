"""The life of one command in plain Python, written from the text of the design and not from the store's SQL.

All durations and moments are in milliseconds.
"""

from attrs import define, field

from pushd.model.command import Draft
from pushd.model.lifecycle import Delivery, Move, State
from pushd.model.result import Verdict
from pushd.model.timestamps import Now

OUR_WORDS = "(whatever we say ourselves)"
"""The error of a command that we ended; the design leaves the words open."""

SETTLED = {Move.SUCCEED: State.SUCCEEDED, Move.FAIL: State.FAILED, Move.GARBLE: State.UNKNOWN}
RESOLVED = {Move.RESOLVE_SUCCEEDED: State.SUCCEEDED, Move.RESOLVE_FAILED: State.FAILED}


@define(eq=False)
class Attempt:
    """That a command was handed over, and in which answer; ``together`` are all attempts of that answer, in order."""

    fate: "Fate"
    number: int
    uuid: str | None
    sent_at: int
    together: "list[Attempt]"
    place: int | None
    """In its answer, from 1; None if it went alone."""

    @property
    def is_out(self) -> bool:
        """Whether this is the attempt for which a lease is open."""
        return self.fate.is_out and self.number == len(self.fate.attempts)


@define(eq=False)
class Fate:
    """What becomes of one command."""

    draft: Draft
    created_at: int
    state: State = State.QUEUED
    attempts: list[Attempt] = field(factory=list)
    max_attempts: int = field(init=False)
    expires_at: int = field(init=False)
    lease_until: int | None = None
    work_until: int | None = None
    """Where no lease of the latest attempt goes beyond."""
    acknowledged_at: int | None = None
    finished_at: int | None = None
    result: str | None = None
    error: str | None = None
    late: bool = False
    evidence: str | None = None
    matched_by: str | None = None
    resent_as: str | None = None
    cancelled: bool = False
    """Whether an operator wants no further attempt, whatever became of the one that was out."""

    def __attrs_post_init__(self) -> None:
        self.max_attempts = self.draft.terms.max_attempts
        starts = max(self.created_at, self.draft.terms.not_before or 0)
        self.expires_at = starts + round(self.draft.terms.ttl * 1000)

    @property
    def is_out(self) -> bool:
        """Whether a lease is open."""
        return self.state in (State.SENT, State.ACKNOWLEDGED)

    @property
    def is_in_doubt(self) -> bool:
        """Whether it was handed over, and neither has a lease nor is settled."""
        return self.state is State.UNKNOWN or (self.state is State.QUEUED and bool(self.attempts))

    @property
    def sent_at(self) -> int | None:
        """When it was handed over last."""
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

    def is_waiting(self, now: Now) -> bool:
        """Whether it may still be handed over, now or later."""
        return self.state is State.QUEUED and now.wall < self.expires_at

    def is_ready(self, now: Now) -> bool:
        """Whether it may be handed over now."""
        return self.is_waiting(now) and (self.draft.terms.not_before or 0) <= now.wall

    def is_over(self, now: Now) -> bool:
        """Whether its lease has run out."""
        return self.lease_until is not None and self.lease_until <= now.steady

    def send(self, uuid: str | None, together: list[Attempt], place: int | None, now: Now) -> Attempt:
        """It is claimed for a connection: an attempt, and a lease that its deadline bounds."""
        attempt = Attempt(self, len(self.attempts) + 1, uuid, now.wall, together, place)
        self.attempts.append(attempt)
        together.append(attempt)
        self.state, self.acknowledged_at = State.SENT, None
        self.work_until = now.steady + self._deadline
        self.lease_until = min(now.steady + self._lease, self.work_until)
        return attempt

    def unsend(self) -> Attempt:
        """Nothing of its latest attempt was written; that attempt, which counts for nothing any more."""
        attempt = self.attempts.pop()
        attempt.together.remove(attempt)
        self.state = State.QUEUED
        self._end_lease()
        return attempt

    def acknowledge(self, now: Now) -> bool:
        """The device has it: its lease is renewed, or opens again; False if that cannot be."""
        if not self.is_out and not self.is_in_doubt:
            return False
        if not self.is_out:
            self.work_until, self.error = self._work_left(now), None
        assert self.work_until is not None
        self.lease_until = min(now.steady + self._lease, self.work_until)
        self.acknowledged_at = now.wall if self.acknowledged_at is None else self.acknowledged_at
        self.state, self.evidence = State.ACKNOWLEDGED, "device"
        self.finished_at = None
        return True

    def settle(self, verdict: Verdict, result: str | None, matched_by: str, late: bool, now: Now) -> None:
        """The device says what became of it."""
        self._end(SETTLED[verdict.move], verdict.error, now)
        self.result, self.late, self.evidence, self.matched_by = result, late, "device", matched_by

    def lapse(self, now: Now) -> None:
        """Its lease ran out."""
        self.evidence = None
        if self._may_repeat and now.wall < self.expires_at:
            self.state = State.QUEUED
            self._end_lease()
            self.error = None
        else:
            self._end(State.UNKNOWN, OUR_WORDS, now)

    def expire(self, now: Now) -> None:
        """Its time to live is over."""
        self._end(State.UNKNOWN if self.attempts else State.EXPIRED, OUR_WORDS, now)

    def cancel(self, now: Now) -> bool:
        """The operator takes it back, as far as that can be; False if it cannot."""
        if self.state is State.QUEUED and self.attempts:
            self._end(State.UNKNOWN, OUR_WORDS, now)
        elif self.state is State.QUEUED:
            self._end(State.CANCELLED, None, now)
            self.evidence = "operator"
        elif self.is_out and self.draft.terms.delivery is Delivery.AT_LEAST_ONCE:
            self.max_attempts, self.error, self.cancelled = len(self.attempts), OUR_WORDS, True
        else:
            return self.state is State.CANCELLED
        return True

    def forget(self, now: Now) -> None:
        """Its device is no longer known."""
        if self.state is State.QUEUED:
            self.cancel(now)
        else:
            self.evidence = None
            self._end(State.UNKNOWN, OUR_WORDS, now)

    def resolve(self, move: Move, note: str, now: Now) -> None:
        """The operator says what became of it."""
        state = RESOLVED[move]
        self._end(state, note if state is State.FAILED else None, now)
        self.evidence = "operator"

    def restart(self, now: Now) -> None:
        """We were away: its lease gets its whole time back."""
        if self.is_out:
            self.lease_until = now.steady + self._lease
            self.work_until = self._work_left(now)

    def _work_left(self, now: Now) -> int:
        """What the wall says is left of its deadline; a lease that we open again is a whole one."""
        assert self.sent_at is not None
        return now.steady + max(self._lease, self.sent_at + self._deadline - now.wall)

    def _end(self, state: State, error: str | None, now: Now) -> None:
        self.state, self.error, self.finished_at = state, error, now.wall
        self._end_lease()

    def _end_lease(self) -> None:
        self.lease_until = self.work_until = None
