"""How long to hold a poll: as configured, as learned by watching the device, or as its dialect says."""

from collections.abc import Callable, Mapping

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pushd.core.devices.registry import DeviceRegistry
from pushd.core.polling.poll import Poll, PollEnd
from pushd.lib.background import logs_error
from pushd.model.device import Admission, Device, dialect_of
from pushd.store.membership import IMembership, OnlyProcess

JITTER = 0.1
"""A hold is shortened at random by up to this part, so that devices do not come back all at once."""

MAX_HOLD = 55.0
"""Seconds that a hold may be set to; proxies commonly cut a silent connection after 60."""

MIN_HOLD = 1.0
"""Seconds; a device with a shorter timeout is answered at once."""

SIMILAR = 0.2
"""Two durations are similar if they differ by at most this part, or by :data:`SIMILAR_SECONDS`."""

SIMILAR_SECONDS = 0.5

TOO_SHORT = 0.5
"""Seconds; a poll that was given up within them says nothing about the device's timeout."""

IGNORED_ANSWERS = 2
"""So many idle answers in a row that did not make the device poll any sooner show that it does not receive them."""


@define(eq=False)
class PollInterval:
    """The interval of a device whose disconnects are hidden by a proxy.

    ``interval`` is the seconds from poll to poll while the device receives nothing.
    """

    interval: float
    _answered: float | None = field(default=None, init=False)
    """When the latest poll began, if it was answered idle."""
    _ignored: int = field(default=0, init=False)

    def ignores_answers(self, poll: Poll, end: PollEnd) -> bool:
        """Record how a poll ended; returns whether the device has shown that it does not receive idle answers."""
        before, self._answered = self._answered, poll.started_at if end is PollEnd.IDLE else None
        after = None if before is None else poll.started_at - before
        same = after is not None and abs(after - self.interval) <= SIMILAR_SECONDS
        self._ignored = self._ignored + 1 if same else 0
        return self._ignored >= IGNORED_ANSWERS


@define(eq=False)
class HoldTimes:
    """The hold of each device. ``defaults`` is seconds by dialect; ``random`` gives numbers from 0 to 1."""

    registry: DeviceRegistry
    defaults: Mapping[str, float]
    random: Callable[[], float]
    membership: IMembership = field(factory=OnlyProcess)
    _given_up_after: dict[str, float] = field(factory=dict, init=False)
    """Seconds that the latest poll of a device lasted, if the device gave it up."""
    _intervals: dict[str, PollInterval] = field(factory=dict, init=False)
    """For devices that were seen to poll again rather than to disconnect."""
    _log = Logger()

    def hold(self, device_id: str, device: Device | None) -> float:
        """Seconds for which to hold a poll that arrives now; ``device`` is None if it is not stored."""
        hold = self.base_hold(device_id, device)
        return hold * (1 - JITTER * self.random()) if hold >= MIN_HOLD else 0

    def base_hold(self, device_id: str, device: Device | None) -> float:
        """The hold of a device, before it is shortened at random."""
        if device is not None:
            if device.hold is not None:
                return device.hold
            if device.learned_hold is not None:
                return device.learned_hold
        return self.defaults[dialect_of(device_id)]

    def on_poll_end(self, poll: Poll, end: PollEnd) -> None:
        """Learn from how a poll ended.

        A poll that was given up at once says nothing about the device's timeout: that happens when a client restarts,
        or when two devices share one id.
        """
        before = self._given_up_after.pop(poll.device, None)
        interval = self._intervals.get(poll.device)
        is_given_up = end is PollEnd.DISCONNECTED or end is PollEnd.REPLACED
        if not is_given_up and interval is None:
            return
        if is_given_up and not self.membership.hears():
            return  # the process is not ready, so a balancer closes the connections of its devices
        device = self.registry.get(poll.device)
        if device is None:
            self._intervals.pop(poll.device, None)
            return
        if is_given_up:
            self._compare_durations(device, poll, end, before)
            interval = self._intervals.get(poll.device)
        if interval is not None:
            self._check_answers(device, interval, poll, end)

    def _compare_durations(self, device: Device, poll: Poll, end: PollEnd, before: float | None) -> None:
        """Learn from two polls in a row that the device gave up after a similar time, ``before`` in seconds."""
        lasted = poll.queue.timers.clock.seconds() - poll.started_at
        if lasted < TOO_SHORT:
            return
        self._given_up_after[device.id] = lasted
        if before is not None and abs(lasted - before) <= max(SIMILAR * max(lasted, before), SIMILAR_SECONDS):
            self._learn(device, min(lasted, before))
            if end is PollEnd.REPLACED:
                self._intervals[device.id] = PollInterval(lasted)

    def _check_answers(self, device: Device, interval: PollInterval, poll: Poll, end: PollEnd) -> None:
        """Behind a proxy that hides disconnects, only the sum of the device's timeout and its pause is known. While
        idle answers do not make the device poll any sooner, they arrive after its timeout: shorten the hold.
        """
        if interval.ignores_answers(poll, end):
            self._intervals[device.id] = PollInterval(interval.interval)
            self._learn(device, self.base_hold(device.id, device))

    def _learn(self, device: Device, timeout: float) -> None:
        """Shorten the learned hold to less than the device's ``timeout``; it never grows."""
        hold = round(min(0.8 * timeout, timeout - 0.5), 3)
        hold = hold if hold >= MIN_HOLD else 0.0
        if hold >= (self.defaults[device.dialect] if device.learned_hold is None else device.learned_hold):
            return
        if device.admission is Admission.PENDING:
            self.registry.keep_learned_hold(device, hold)
            return
        saving = Deferred.fromCoroutine(self.registry.change(device.id, {"learned_hold": hold}))
        text = "Could not save learned hold of {device_id}, it will be learned again: {error}"
        saving.addErrback(logs_error(self._log, text, device_id=device.id))
