"""Presence of devices: online, offline or signed off, when last seen, and how long they pause between two polls."""

from collections.abc import Iterable
from math import inf
from statistics import median
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.core.timers import Slot, TimingWheel
from pushd.model.device import Device, LastSeen, PresenceState
from pushd.model.errors import Unavailable, is_logged
from pushd.model.event import Event, EventType
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore
from pushd.store.membership import IMembership, OnlyProcess, TakenOver

LAST_SEEN_BATCH = 50
"""Devices whose last-seen time is saved in one transaction, so that no other transaction waits for long."""

ONLINE_BATCH = 200
"""Devices that are saved as online at once when the store is available again."""

SAVED_SELDOM = 60.0
"""Seconds, or a quarter of its heartbeat timeout, after which a device's last-seen time is saved again where several
processes share the database.
"""

GAPS_KEPT = 9
"""Poll gaps that the median is made of."""


@define(eq=False)
class DevicePresence:
    """What memory holds of the presence of one device."""

    device: str
    state: PresenceState = PresenceState.NEVER_SEEN
    active_at: float = 0.0
    """When the device last sent a heartbeat, in steady seconds."""
    timeout: float = inf
    """Seconds without a heartbeat after which the device is offline; infinite until the device is stored."""
    slot: Slot["DevicePresence"] | None = field(default=None, repr=False)  # its repr would show all others in the slot
    """The latest slot of the timing wheel that has the device; entries in older slots are ignored."""
    held_polls: int = 0
    last_seen_at: int | None = None
    """Wall milliseconds; None until the device is seen for the first time since the start."""
    address: str | None = None
    idle_answer_at: float | None = None
    """When a poll was answered idle, in the clock's seconds, if no poll came since."""
    gaps: tuple[float, ...] = ()
    saved: bool = True
    """Whether the state is stored, or about to be."""
    last_seen_saved: float = -inf
    """When its last-seen time was saved, in steady seconds."""

    @property
    def poll_gap(self) -> float | None:
        """Median seconds from an idle answer to the next poll: how long the device is not connected."""
        return round(median(self.gaps), 3) if self.gaps else None


@define(eq=False)
class Presence:
    """Follows polls, acknowledgements, results and sign-offs; saves changes of state at once, last-seen in batches."""

    store: IStore
    clocks: Clocks
    membership: IMembership = field(factory=OnlyProcess)
    wheel: TimingWheel[DevicePresence] = field(factory=TimingWheel, init=False)
    """The online devices; each expires no later than its heartbeat timeout does."""
    _entries: dict[str, DevicePresence] = field(factory=dict, init=False)
    _dirty: set[DevicePresence] = field(factory=set, init=False)
    """Devices that were seen since the last flush."""
    _unsaved: set[DevicePresence] = field(factory=set, init=False)
    """Devices that came online while the store was unavailable."""
    _timeouts: dict[float, float] = field(factory=dict, init=False)
    """Interned timeouts: one float object shared by all devices keeps the scan of a million devices in the cache."""
    _log = Logger()

    def follow(self) -> None:
        """Follow devices that move between this process and others, and the presence of those that others serve."""
        self.membership.subscribe(self._on_move)
        self.store.subscribe(self._on_presence, *_PRESENCES)

    def load(self, snapshot: StartupSnapshot) -> None:
        """Start with the stored devices. Timeouts count from now, since no device could report while the server was
        down, unless other processes served; the first checks are spread over each timeout, so that they do not all
        come at once.
        """
        now = self.clocks.steady()
        self.wheel.turn = int(now)
        for number, device in enumerate(snapshot.devices, 1):
            active_at = now - self._silent_for(device)
            entry = DevicePresence(device.id, device.presence, active_at, self._intern(device.heartbeat_timeout))
            self._entries[device.id] = entry
            if entry.state is PresenceState.ONLINE:
                spread = now + entry.timeout * number / len(snapshot.devices)
                entry.slot = self.wheel.put(entry, min(spread, active_at + entry.timeout))

    def _silent_for(self, device: Device) -> float:
        """For how many seconds a device has been silent at the start, at least, while processes served: else one that
        ends and starts again and again would never find a device offline.
        """
        if device.last_seen_at is None or not self.membership.is_shared():
            return 0.0
        since = (self.clocks.wall_now() - device.last_seen_at) / 1000 - self.membership.outage()
        silent = since - min(SAVED_SELDOM, device.heartbeat_timeout / 4)
        return max(min(silent, self.membership.served_for(device.id)), 0.0)

    def set_timeout(self, device: str, timeout: float) -> None:
        """Set the heartbeat timeout of a stored device, in seconds; it counts at once."""
        entry = self._entry(device)
        if entry.timeout != timeout:
            entry.timeout = self._intern(timeout)
            self._schedule_check(entry)

    def begin_poll(self, device: str, address: str | None, now: float) -> DevicePresence:
        """A poll has begun, in the clock's seconds: the device is online, even if it had signed off; returns what to
        call :meth:`end_poll` with.
        """
        entry = self._entries.get(device) or self._entry(device)
        if entry.idle_answer_at is not None:
            entry.gaps = (*entry.gaps, now - entry.idle_answer_at)[-GAPS_KEPT:]
            entry.idle_answer_at = None
        entry.held_polls += 1
        entry.address = address
        self._saw(entry, now)
        if entry.state is not PresenceState.ONLINE or not entry.saved or not self.membership.serves(device):
            self._become_online(entry)
        return entry

    def end_poll(self, entry: DevicePresence, *, is_idle: bool) -> None:
        """A poll has ended; if it was answered idle, the device is not connected until its next poll."""
        now = self.clocks.clock.seconds()
        entry.held_polls -= 1
        self._saw(entry, now)
        if is_idle:
            entry.idle_answer_at = now

    def record_activity(self, device: str, address: str | None) -> None:
        """The device acknowledged or reported: it is online, unless it signed off; only a poll ends that."""
        entry = self._entries.get(device) or self._entry(device)
        entry.address = address
        self._saw(entry, self.clocks.clock.seconds())
        if entry.state is not PresenceState.SIGNED_OFF and not (entry.state is PresenceState.ONLINE and entry.saved):
            self._become_online(entry)

    async def sign_off(self, device: str, address: str | None) -> None:
        """The device signs off; durable when this returns."""
        entry = self._entry(device)
        entry.address = address
        self._saw(entry, self.clocks.clock.seconds())
        entry.state = PresenceState.SIGNED_OFF
        await self.store.set_presence(device, entry.state)

    async def save(self, device: str) -> None:
        """Save the presence of a device that was approved."""
        entry = self._entries.get(device)
        if entry is None:
            return
        if entry.last_seen_at is not None:
            self._dirty.add(entry)
        if entry.state is PresenceState.ONLINE:
            await self._save_online(entry)
        elif entry.state is PresenceState.SIGNED_OFF:
            await self.store.set_presence(device, entry.state)

    def take_over(self, devices: Iterable[TakenOver]) -> None:
        """Serve these devices from now on, and give them their whole timeout to report here."""
        for taken in devices:
            entry = self._entry(taken.device)
            entry.state, entry.active_at = taken.presence, self.clocks.steady()
            entry.timeout = self._intern(taken.heartbeat_timeout)
            self._schedule_check(entry)

    def next_poll_in(self, device: str) -> float | None:
        """Seconds until the next poll is expected of a device between two polls; None if that cannot be predicted."""
        entry = self._entries.get(device)
        if entry is None or entry.held_polls or entry.idle_answer_at is None or entry.poll_gap is None:
            return None
        left = entry.poll_gap - (self.clocks.clock.seconds() - entry.idle_answer_at)
        return round(left, 3) if left >= 0 else None

    def forget(self, device: str) -> None:
        """The device was deleted."""
        entry = self._entries.pop(device, None)
        if entry is not None:
            entry.state = PresenceState.NEVER_SEEN  # so it leaves the timing wheel when its slot expires

    def mark_offline(self, entries: Iterable[DevicePresence]) -> None:
        """These devices are offline; the caller saves that."""
        for entry in entries:
            if not entry.saved:
                self._save_online(entry)  # the store must get the events in their order
            entry.state = PresenceState.OFFLINE

    def revert_offline(self, entries: Iterable[DevicePresence], silent: float | None = None) -> None:
        """These were not saved as offline: those that have not polled since are to be checked again.

        ``silent`` is for how many seconds they have been, if another process saw them later.
        """
        for entry in entries:
            if entry.state is PresenceState.OFFLINE:
                entry.state = PresenceState.ONLINE
                if silent is not None:
                    entry.active_at = self.clocks.steady() - silent
                self._schedule_check(entry)

    def merge_live_state(self, device: Device) -> Device:
        """A stored device with the presence that memory knows, which is newer."""
        entry = self._entries.get(device.id)
        if entry is None:
            return device
        if entry.last_seen_at is None or not self.membership.serves(device.id):  # not seen here since the start
            return evolve(device, presence=entry.state)
        return evolve(
            device,
            presence=entry.state,
            last_seen_at=self.clocks.wall_now() if entry.held_polls else entry.last_seen_at,
            last_address=entry.address,
            poll_gap=device.poll_gap if entry.poll_gap is None else entry.poll_gap,
        )

    async def flush(self) -> None:
        """Save the last-seen times since the last flush, in batches, and then all online states that are not saved.

        :raises Unavailable: if the store is not available; the next call tries the rest again.
        """
        now = self.clocks.steady()
        if self.membership.is_shared():
            self._see_held_polls(now)
        due = [entry for entry in self._dirty if self._may_save(entry, now)]
        for start in range(0, len(due), LAST_SEEN_BATCH):
            batch = due[start : start + LAST_SEEN_BATCH]
            self._dirty.difference_update(batch)
            try:
                await self.store.save_last_seen([self._last_seen(entry) for entry in batch if self._is_known(entry)])
            except BaseException:
                self._dirty.update(batch)
                raise
            for entry in batch:
                entry.last_seen_saved = now
        await self.save_returned()

    async def save_returned(self) -> None:
        """Save the devices that came online while the store was unavailable. To be called before alerts are raised.

        One that is silent, and that this process did not serve, is left to the others: it may have polled there since.

        :raises Unavailable: if the store is still unavailable.
        """
        self._unsaved -= {entry for entry in self._unsaved if self._is_left_to_others(entry)}
        unsaved = list(self._unsaved)
        for start in range(0, len(unsaved), ONLINE_BATCH):
            batch = unsaved[start : start + ONLINE_BATCH]
            self._unsaved.difference_update(entry for entry in batch if entry.state is not PresenceState.ONLINE)
            for done in [self._save_online(entry) for entry in batch if entry in self._unsaved]:
                await done
            if not self._unsaved.isdisjoint(batch):
                raise Unavailable(f"Unable to save which devices are online; {len(self._unsaved)} left.")

    def _is_left_to_others(self, entry: DevicePresence) -> bool:
        is_silent = not entry.held_polls and entry.active_at + entry.timeout <= self.clocks.steady()
        return is_silent and not self.membership.serves(entry.device)

    def _see_held_polls(self, now: float) -> None:
        """A device is seen for as long as it holds a poll: a process that starts in place of this one reads how long
        it has been silent, and must not count from the beginning of that poll.
        """
        wall = self.clocks.wall_now()
        for entry in self._entries.values():
            if entry.held_polls and self._may_save(entry, now):
                entry.last_seen_at = wall
                self._dirty.add(entry)

    def _may_save(self, entry: DevicePresence, now: float) -> bool:
        """Whether the last-seen time of a device is due to be saved."""
        if not self.membership.is_shared() or not self.membership.serves(entry.device):
            return True
        return now - entry.last_seen_saved >= min(SAVED_SELDOM, entry.timeout / 4)

    def _last_seen(self, entry: DevicePresence) -> LastSeen:
        seen = entry.last_seen_at or self.clocks.wall_now()
        return LastSeen(device=entry.device, last_seen_at=seen, last_address=entry.address, poll_gap=entry.poll_gap)

    def _is_known(self, entry: DevicePresence) -> bool:
        """Whether the device has not been deleted meanwhile."""
        return self._entries.get(entry.device) is entry

    def _entry(self, device: str) -> DevicePresence:
        entry = self._entries.get(device)
        if entry is None:
            entry = self._entries[device] = DevicePresence(device)
        return entry

    def _intern(self, timeout: float) -> float:
        return self._timeouts.setdefault(timeout, timeout)

    def _saw(self, entry: DevicePresence, now: float) -> None:
        """The device has sent something now, in the clock's seconds."""
        entry.active_at = now - self.clocks.stalled
        entry.last_seen_at = self.clocks.wall_now()
        self._dirty.add(entry)

    def _schedule_check(self, entry: DevicePresence) -> None:
        """Put an online device into the timing wheel, unless it is there with a slot that expires early enough."""
        if entry.state is not PresenceState.ONLINE or entry.timeout == inf:
            return
        due = entry.active_at + entry.timeout
        if entry.slot is None or not self.wheel.turn < entry.slot.second <= due:
            entry.slot = self.wheel.put(entry, due)

    def _become_online(self, entry: DevicePresence) -> None:
        if entry.state is not PresenceState.ONLINE:
            entry.state = PresenceState.ONLINE
            self._schedule_check(entry)
            self._save_online(entry)
        elif not entry.saved or not self.membership.serves(entry.device):
            self._save_online(entry)

    def _save_online(self, entry: DevicePresence) -> Deferred[None]:
        """Fires when the store has answered, also if it failed."""
        entry.saved = True
        done: Deferred[Any]
        if self.membership.serves(entry.device):
            done = self.store.set_presence(entry.device, PresenceState.ONLINE)
        else:
            done = self.membership.serve(entry.device)
        return done.addCallbacks(self._on_saved, self._on_save_failed, callbackArgs=(entry,), errbackArgs=(entry,))

    def _on_saved(self, stored: PresenceState | None, entry: DevicePresence) -> None:
        """It was saved, or another process serves the device, and has stored that it is offline or signed off."""
        self._unsaved.discard(entry)
        if stored is not None and stored is not PresenceState.ONLINE:
            entry.state = stored

    def _on_save_failed(self, failure: Failure, entry: DevicePresence) -> None:
        entry.saved = False  # the device's next heartbeat tries again, or save_returned does
        if entry not in self._unsaved:
            self._unsaved.add(entry)
            if not is_logged(failure.value):
                self._log.error(
                    "Could not save that {device_id} is online, retrying: {error}",
                    device_id=entry.device,
                    error=failure.getErrorMessage(),
                )

    def _on_move(self, device: str, is_here: bool) -> None:
        """From now on a device is judged here; one that has left drops out when its slot expires."""
        entry = self._entries.get(device)
        if entry is not None and is_here:
            if entry.state in (PresenceState.OFFLINE, PresenceState.NEVER_SEEN):  # as others saw it
                entry.state = PresenceState.ONLINE
            self._schedule_check(entry)

    def _on_presence(self, event: Event) -> None:
        """The presence of a device has changed; only those that others serve are not known here already."""
        if event.device is not None and not self.membership.serves(event.device):
            self._entry(event.device).state = _PRESENCES[event.type]


_PRESENCES = {
    EventType.DEVICE_ONLINE: PresenceState.ONLINE,
    EventType.DEVICE_OFFLINE: PresenceState.OFFLINE,
    EventType.DEVICE_SIGNED_OFF: PresenceState.SIGNED_OFF,
}
