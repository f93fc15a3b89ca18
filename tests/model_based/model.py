"""Section 2 of the design in plain Python: all commands, devices and the feed, to hold a store against."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile

from attrs import define, field

from pushd.model.command import Draft
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import DeviceBlocked, DeviceSignedOff, IllegalMove, KeyReused, QueueFull, UnknownDevice
from pushd.model.event import EventType
from pushd.model.lifecycle import Move, State
from pushd.model.timestamps import Now
from pushd.store.filters import Settlement
from tests.model_based.fate import RESOLVED, SETTLED, Attempt, Fate
from tests.model_based.matching import find
from tests.model_based.party import Party, Poll, Told
from tests.store.samples import StubResult

ORPHANS_KEPT = 100
RESENDABLE = (State.UNKNOWN, State.FAILED, State.EXPIRED, State.CANCELLED)


@define(eq=False)
class Model:
    """What a store should hold, and what it should have told."""

    parties: dict[str, Party] = field(factory=lambda: defaultdict(Party))
    fates: dict[str, Fate] = field(factory=dict)
    feed: list[Told] = field(factory=list)

    def of(self, device: str) -> list[Fate]:
        """The commands of a device."""
        return [fate for fate in self.fates.values() if fate.draft.device == device]

    def ready(self, device: str, now: Now) -> list[Fate]:
        """What may be handed to a device now, the next one first."""
        ready = [fate for fate in self.of(device) if fate.is_ready(now)]
        return sorted(ready, key=lambda fate: (-fate.draft.terms.priority, fate.draft.id))

    def admit(self, device: str, admission: Admission, now: Now) -> None:
        """An operator decides on a device."""
        if self.parties[device].admission is not admission:
            self.parties[device].admission = admission
            self._tell(f"device.{admission}", device, now)

    def sign(self, device: str, presence: PresenceState, now: Now) -> None:
        """A device goes away on purpose, or returns."""
        if self.parties[device].presence is not presence:
            self.parties[device].presence = presence
            self._tell(f"device.{presence}", device, now)

    def put(self, draft: Draft, limit: int, now: Now) -> tuple[Fate, bool]:
        """A command is sent, or was before with the same key."""
        earlier = self._earlier(draft)
        if earlier is not None:
            return earlier, False
        self._check_may_queue(draft.device, limit)
        return self._queue(draft, now), True

    def resend(self, draft: Draft, limit: int, now: Now) -> tuple[Fate, bool]:
        """A command is sent again as a new one, or was before."""
        before = self.fates[str(draft.resend_of)]
        if before.resent_as is not None:
            return self.fates[before.resent_as], False
        if before.state not in RESENDABLE:
            raise IllegalMove
        self._check_may_queue(draft.device, limit)
        before.resent_as = draft.id
        return self._queue(draft, now), True

    def claim(self, poll: Poll, now: Now) -> list[Fate]:
        """A device polls: what it is handed."""
        party = self.parties[poll.device]
        if party.admission is not Admission.APPROVED or party.repeats(poll):
            return []
        chosen = _together(self.ready(poll.device, now), poll)
        together: list[Attempt] = []
        for place, fate in enumerate(chosen, 1):
            attempt = fate.send(poll.uuid, together, place if len(chosen) > 1 else None, now)
            party.attempts.append(attempt)
            self._tell(EventType.COMMAND_SENT, poll.device, now, fate, attempt.number)
        return chosen

    def unsend(self, command: str, number: int, now: Now) -> None:
        """A connection had gone before a byte was written."""
        fate = self.fates[command]
        if fate.state is State.SENT and len(fate.attempts) == number:
            self.parties[fate.draft.device].attempts.remove(fate.unsend())
            self._tell(EventType.COMMAND_QUEUED, fate.draft.device, now, fate, "unsent")
            if fate.cancelled:
                fate.cancel(now)
                self._tell_state(fate, now)

    def acknowledge(self, device: str, command: str, now: Now) -> None:
        """A device says that it has a command."""
        fate = self.fates.get(command)
        if fate is None or fate.draft.device != device or self.parties[device].admission is None:
            return
        before = fate.state
        if fate.acknowledge(now) and fate.state is not before:
            self._tell(EventType.COMMAND_ACKNOWLEDGED, device, now, fate)

    def settle(self, device: str, report: StubResult, now: Now) -> Settlement:
        """A device says what became of something."""
        party = self.parties[device]
        match = find(party.attempts, self.of(device), report)
        parts = [] if match is None else match.parts(report)
        outcomes = [self._apply(attempt, matched_by, part, now) for attempt, matched_by, part in parts]
        if not outcomes or Settlement.ORPHANED in outcomes:
            return self._keep(device, party, report, now)
        return Settlement.SETTLED if Settlement.SETTLED in outcomes else Settlement.REPEATED

    def lapse(self, now: Now) -> int:
        """End the leases that ran out, in order of time; how many."""
        over = [
            fate for fate in self.fates.values() if fate.lease_until is not None and fate.lease_until <= now.steady
        ]
        for fate in sorted(over, key=lambda fate: (fate.lease_until, fate.draft.id)):
            fate.lapse(now)
            self._tell_state(fate, now, "lapsed" if fate.state is State.QUEUED else None)
        return len(over)

    def expire(self, now: Now) -> int:
        """End what waits and is too old to be sent, in order of time; how many."""
        waiting = (fate for fate in self.fates.values() if fate.state is State.QUEUED)
        over = [fate for fate in waiting if not fate.is_waiting(now)]
        for fate in sorted(over, key=lambda fate: (fate.expires_at, fate.draft.id)):
            fate.expire(now)
            self._tell_state(fate, now)
        return len(over)

    def cancel(self, command: str, now: Now) -> Fate:
        """An operator takes a command back."""
        fate = self.fates[command]
        before = fate.state
        if not fate.cancel(now):
            raise IllegalMove
        if fate.state is not before:
            self._tell_state(fate, now)
        return fate

    def resolve(self, command: str, move: Move, note: str, now: Now) -> Fate:
        """An operator says what became of a command."""
        fate = self.fates[command]
        if (fate.state, fate.evidence) == (RESOLVED[move], "operator"):
            return fate
        if fate.state is not State.UNKNOWN:
            raise IllegalMove
        fate.resolve(move, note, now)
        self._tell(EventType.COMMAND_RESOLVED, fate.draft.device, now, fate)
        return fate

    def forget(self, device: str, now: Now) -> None:
        """A device is no longer known: what waits is cancelled, what is out becomes unknown."""
        self.parties[device].admission = None
        for fate in self.of(device):
            if fate.state is State.QUEUED or fate.is_out:
                fate.forget(now)
                self._tell_state(fate, now)
        self._tell(EventType.DEVICE_DELETED, device, now)

    def introduce(self, device: str, now: Now) -> None:
        """A device is approved as soon as it is known."""
        self.parties[device].admission = Admission.APPROVED
        self.parties[device].presence = PresenceState.NEVER_SEEN
        self._tell(EventType.DEVICE_REGISTERED, device, now)

    def restart(self, now: Now) -> None:
        """We were away."""
        for fate in self.fates.values():
            fate.restart(now)

    def _earlier(self, draft: Draft) -> Fate | None:
        name = (draft.created_by, draft.device, draft.idempotency_key)
        for fate in self.fates.values() if draft.idempotency_key else ():
            if (fate.draft.created_by, fate.draft.device, fate.draft.idempotency_key) == name:
                if fate.draft.fingerprint != draft.fingerprint:
                    raise KeyReused
                return fate
        return None

    def _check_may_queue(self, device: str, limit: int) -> None:
        party = self.parties[device]
        if party.admission is None:
            raise UnknownDevice
        if party.admission is Admission.BLOCKED:
            raise DeviceBlocked
        if party.presence is PresenceState.SIGNED_OFF:
            raise DeviceSignedOff
        if sum(fate.state is State.QUEUED for fate in self.of(device)) >= limit:
            raise QueueFull

    def _queue(self, draft: Draft, now: Now) -> Fate:
        fate = self.fates[draft.id] = Fate(draft, now.wall)
        self._tell(EventType.COMMAND_QUEUED, draft.device, now, fate)
        return fate

    def _apply(self, attempt: Attempt, matched_by: str, report: StubResult, now: Now) -> Settlement:
        """Hear what a result says of one command."""
        fate, verdict = attempt.fate, report.verdict
        if fate.state in (State.SUCCEEDED, State.FAILED):
            agrees = SETTLED[verdict.move] is fate.state and fate.evidence == "device"
            return Settlement.REPEATED if agrees else Settlement.ORPHANED
        known = (SETTLED[verdict.move], report.result, verdict.error)
        if known == (fate.state, fate.result, fate.error):
            return Settlement.REPEATED
        fate.settle(verdict, report.result, matched_by, not attempt.is_out, now)
        self._tell_state(fate, now)
        return Settlement.SETTLED

    def _keep(self, device: str, party: Party, report: StubResult, now: Now) -> Settlement:
        """Keep what settled nothing, or not all of what it says."""
        if party.admission is not Admission.APPROVED:
            return Settlement.DROPPED
        party.orphans = [*party.orphans, report.raw][-ORPHANS_KEPT:]
        self._tell(EventType.RESULT_ORPHANED, device, now)
        return Settlement.ORPHANED

    def _tell_state(self, fate: Fate, now: Now, why: object = None) -> None:
        self._tell(f"command.{fate.state}", fate.draft.device, now, fate, why)

    def _tell(self, kind: str, device: str, now: Now, fate: Fate | None = None, why: object = None) -> None:
        self.feed.append(Told(str(kind), now.wall, device, None if fate is None else fate.draft.id, why))


def _together(ready: Sequence[Fate], poll: Poll) -> list[Fate]:
    """The first, and right behind it, up to the limit, those that join it."""
    joining = list(takewhile(lambda fate: poll.batchable(fate.draft.payload), ready[: poll.limit]))
    return joining or list(ready[:1])
