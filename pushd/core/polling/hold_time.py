"""Holds: for how long a poll is held, and what each device has taught us about it."""

from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.poll import Poll, PollEnd

JITTER = 0.1
"""A hold is shortened by up to this part, so that a fleet does not come back in one wave."""

MAX_HOLD = 55.0
"""Seconds that a hold may be set to; proxies commonly cut a silent connection after 60."""

SHORTEST = 1.0
"""Seconds; a device that waits for less is answered at once."""

ALIKE = 0.2
"""Two times within this part of each other, or within :data:`ALIKE_SECONDS`, teach that a device's patience ends."""

ALIKE_SECONDS = 0.5

AT_ONCE = 0.5
"""Seconds; a poll that was given up within them tells nothing of patience."""

UNHEARD = 2
"""Idle answers in a row, none of which made the device come any sooner, teach that it does not hear them."""

_UNANSWERED = frozenset({PollEnd.LEFT, PollEnd.REPLACED})


@define(eq=False)
class Pace:
    """How a device comes whose hang-ups are hidden by a proxy: ``interval`` is seconds from poll to poll while it
    hears nothing.
    """

    interval: float
    _answered: float | None = field(default=None, init=False)
    """When the latest poll began, if it was answered idle."""
    _unheard: int = field(default=0, init=False)

    def note(self, poll: Poll, end: PollEnd) -> bool:
        """Follow a poll that ended; whether the device has shown that it does not hear our idle answers."""
        before, self._answered = self._answered, poll.began if end is PollEnd.IDLE else None
        after = None if before is None else poll.began - before
        same = after is not None and abs(after - self.interval) <= ALIKE_SECONDS
        self._unheard = self._unheard + 1 if same else 0
        return self._unheard >= UNHEARD


@define(eq=False)
class HoldTimes:
    """The hold of each device: an operator's word, else what it taught us, else its dialect's.

    ``defaults`` is seconds by dialect; ``random`` gives 0 to 1.
    """

    registry: DeviceRegistry
    defaults: Mapping[str, float]
    random: Callable[[], float]
    _unanswered: dict[str, float] = field(factory=dict, init=False)
    """How long the latest poll of a device lasted, if it ended without an answer."""
    _paces: dict[str, Pace] = field(factory=dict, init=False)
    """Of devices that were seen to poll anew rather than to hang up."""
    _log = Logger()

    def hold(self, device: str) -> float:
        """For how many seconds to hold a poll that comes now."""
        hold = self.settled(device)
        return hold * (1 - JITTER * self.random()) if hold >= SHORTEST else 0

    def settled(self, device: str) -> float:
        """The hold of a device, before it is shortened at random."""
        known = self.registry.get(device)
        if known is not None:
            for hold in (known.hold, known.learned_hold):
                if hold is not None:
                    return hold
        return self.defaults[device.partition(":")[0]]

    def ended(self, poll: Poll, end: PollEnd) -> None:
        """Learn from how a poll ended.

        One that was given up at once tells nothing of patience: a client that starts anew does so, and two devices
        with one id do it to each other.
        """
        if self.registry.get(poll.device) is None:
            self._unanswered.pop(poll.device, None)
            self._paces.pop(poll.device, None)
            return
        self._compare(poll, end)
        self._follow(poll, end)

    def _compare(self, poll: Poll, end: PollEnd) -> None:
        """Learn from two polls in a row that were given up after about the same time."""
        lasted = poll.ticks.clock.seconds() - poll.began
        before = self._unanswered.pop(poll.device, None)
        if end not in _UNANSWERED or lasted < AT_ONCE:
            return
        self._unanswered[poll.device] = lasted
        if before is not None and abs(lasted - before) <= max(ALIKE * max(lasted, before), ALIKE_SECONDS):
            self._learn(poll.device, min(lasted, before))
            if end is PollEnd.REPLACED:
                self._paces[poll.device] = Pace(lasted)

    def _follow(self, poll: Poll, end: PollEnd) -> None:
        """Learn from a device that polls anew only after its patience and a rest, of which we see but the sum: as long
        as it comes no sooner for our idle answers, they are too late.
        """
        pace = self._paces.get(poll.device)
        if pace is not None and pace.note(poll, end):
            self._paces[poll.device] = Pace(pace.interval)
            self._learn(poll.device, self.settled(poll.device))

    def _learn(self, device: str, patience: float) -> None:
        known = self.registry.get(device)
        hold = round(min(0.8 * patience, patience - 0.5), 3)
        hold = hold if hold >= SHORTEST else 0.0
        current = None if known is None else known.learned_hold
        if known is None or hold >= (self.defaults[known.dialect] if current is None else current):
            return
        learned = Deferred.fromCoroutine(self.registry.change(device, {"learned_hold": hold}))
        learned.addErrback(self._not_learned, device)

    def _not_learned(self, failure: Failure, device: str) -> None:
        self._log.error("{device}'s hold was not written: {error}", device=device, error=failure.getErrorMessage())
