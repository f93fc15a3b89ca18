"""Presence: who is here, since when, and for how long devices are deaf between polls."""

from collections.abc import Iterable
from math import inf

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.core.devices.life import DevicePresence
from pushd.core.timers import TimingWheel
from pushd.model.device import Device, LastSeen, PresenceState
from pushd.model.errors import Unavailable
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore

SIGHTINGS = 50
"""Devices whose sighting is written in one verb, so that no other waits for a crowd."""

RETURNS = 200
"""Devices that are written as online at once when the store is back."""


@define(eq=False)
class Here:
    """A poll of a device that is here for as long as the poll is held: a ``with`` block, which cannot forget to
    leave.
    """

    presence: "Presence"
    life: DevicePresence
    address: str | None

    def __enter__(self) -> None:
        self.presence.arrive(self.life, self.address)

    def __exit__(self, *_: object) -> None:
        self.presence.leave(self.life, self.address)


@define(eq=False)
class Presence:
    """Follows polls, acks, results and sign-offs; writes changes of state at once and sightings in batches."""

    store: IStore
    clocks: Clocks
    wheel: TimingWheel[DevicePresence] = field(factory=TimingWheel, init=False)
    """Those who are online, each under a moment at which it cannot have been silent for too long before."""
    _lives: dict[str, DevicePresence] = field(factory=dict, init=False)
    _dirty: set[DevicePresence] = field(factory=set, init=False)
    _unwritten: set[DevicePresence] = field(factory=set, init=False)
    """Those who came online while the store was away."""
    _timeouts: dict[float, float] = field(factory=dict, init=False)
    """Each number once: were there a million of them, the watchdog would wait for each to come from memory."""
    _log = Logger()

    def load(self, known: StartupSnapshot) -> None:
        """Start from what the store knows; silence counts from now on, for while we were away nobody could speak.

        Each is first looked at somewhere within its time, so that not all of them come up at once.
        """
        now = self.clocks.steady()
        self.wheel.turn = int(now)
        for number, device in enumerate(known.devices, 1):
            life = DevicePresence(device.id, device.presence, now, self._shared(device.heartbeat_timeout))
            self._lives[device.id] = life
            if life.state is PresenceState.ONLINE:
                life.slot = self.wheel.put(life, now + life.timeout * number / len(known.devices))

    def expect(self, device: str, timeout: float) -> None:
        """Silence of a recorded device is normal for ``timeout`` seconds; that counts at once."""
        life = self._life(device)
        if life.timeout != timeout:
            life.timeout = self._shared(timeout)
            self._watch(life)

    def here(self, device: str, address: str | None) -> Here:
        """The device polls: ``with`` this, it is here for as long as the poll is held."""
        return Here(self, self._life(device), address)

    def arrive(self, life: DevicePresence, address: str | None) -> None:
        life.end_gap(self.clocks.clock.seconds())
        life.polls += 1
        self._seen(life, address)
        if life.state is not PresenceState.ONLINE or not life.written:
            self._become_online(life)

    def leave(self, life: DevicePresence, address: str | None) -> None:
        life.polls -= 1
        self._seen(life, address)

    def spoke(self, device: str, address: str | None) -> None:
        """The device acknowledged or reported: a sign of life, but one that signed off stays so until it polls."""
        life = self._life(device)
        self._seen(life, address)
        if life.state is not PresenceState.SIGNED_OFF:
            self._become_online(life)

    async def sign_off(self, device: str, address: str | None) -> None:
        """The device goes away on purpose; done once that is durable."""
        life = self._life(device)
        self._seen(life, address)
        life.state = PresenceState.SIGNED_OFF
        await self.store.set_presence(device, life.state, self.clocks.now())

    def went_idle(self, device: str) -> None:
        """A poll was answered idle: from now on the device is deaf until its next."""
        life = self._lives.get(device)
        if life is not None:
            life.idle_since = self.clocks.clock.seconds()

    def next_poll_in(self, device: str) -> float | None:
        """In how many seconds the next poll is expected of a device that is deaf now; None if nobody can tell."""
        life = self._lives.get(device)
        if life is None or life.polls or life.idle_since is None or life.poll_gap is None:
            return None
        left = life.poll_gap - (self.clocks.clock.seconds() - life.idle_since)
        return round(left, 3) if left >= 0 else None

    def forget(self, device: str) -> None:
        """The device is no longer known."""
        life = self._lives.pop(device, None)
        if life is not None:
            life.state = PresenceState.NEVER_SEEN  # so it leaves the wheel when it comes up

    def lost(self, silent: Iterable[DevicePresence]) -> None:
        """These are offline, and the store is about to be told."""
        for life in silent:
            if not life.written:
                self._write_online(life)  # what the store was not told yet goes first
            life.state = PresenceState.OFFLINE

    def not_lost(self, silent: Iterable[DevicePresence]) -> None:
        """The store could not be told: those who have not spoken since are to be looked at again."""
        for life in silent:
            if life.state is PresenceState.OFFLINE:
                life.state = PresenceState.ONLINE
                self._watch(life)

    def merge_live_state(self, device: Device) -> Device:
        """A stored device with what memory knows better."""
        life = self._lives.get(device.id)
        if life is None:
            return device
        if life.last_seen_at is None:  # not since we started
            return evolve(device, presence=life.state)
        return evolve(
            device,
            presence=life.state,
            last_seen_at=self.clocks.wall_now() if life.polls else life.last_seen_at,
            last_address=life.address,
            poll_gap=device.poll_gap if life.poll_gap is None else life.poll_gap,
        )

    async def flush(self) -> None:
        """Write down who was seen since the last time, and who could not be written as online; a crowd in pieces.

        :raises Unavailable: if the store does not answer; the next time is for those who are left, too.
        """
        for _ in range(0, len(self._dirty), SIGHTINGS):
            seen = [self._dirty.pop() for _ in range(min(SIGHTINGS, len(self._dirty)))]
            try:
                await self.store.save_last_seen([self._sighting(life) for life in seen if self._knows(life)])
            except BaseException:
                self._dirty.update(seen)
                raise
        await self.catch_up()

    async def catch_up(self) -> None:
        """Write who came online while the store was away, before somebody is told that they are missed.

        :raises Unavailable: if the store is still away.
        """
        behind = list(self._unwritten)
        for start in range(0, len(behind), RETURNS):
            piece = behind[start : start + RETURNS]
            self._unwritten.difference_update(life for life in piece if life.state is not PresenceState.ONLINE)
            for done in [self._write_online(life) for life in piece if life in self._unwritten]:
                await done
            if not self._unwritten.isdisjoint(piece):
                raise Unavailable(f"Unable to write who is online; {len(self._unwritten)} left.")

    def _sighting(self, life: DevicePresence) -> LastSeen:
        seen = life.last_seen_at or self.clocks.wall_now()
        return LastSeen(device=life.device, last_seen_at=seen, last_address=life.address, poll_gap=life.poll_gap)

    def _knows(self, life: DevicePresence) -> bool:
        """Whether the device was not forgotten since."""
        return self._lives.get(life.device) is life

    def _life(self, device: str) -> DevicePresence:
        life = self._lives.get(device)
        if life is None:
            life = self._lives[device] = DevicePresence(device)
        return life

    def _shared(self, timeout: float) -> float:
        return self._timeouts.setdefault(timeout, timeout)

    def _seen(self, life: DevicePresence, address: str | None) -> None:
        life.spoke_at = self.clocks.steady()
        life.last_seen_at = self.clocks.wall_now()
        life.address = address
        self._dirty.add(life)

    def _watch(self, life: DevicePresence) -> None:
        """Have the watchdog look at it when its time may be up, unless it does so before."""
        if life.state is not PresenceState.ONLINE or life.timeout == inf:
            return
        due = life.spoke_at + life.timeout
        if life.slot is None or not self.wheel.turn < life.slot.second <= due:
            life.slot = self.wheel.put(life, due)

    def _become_online(self, life: DevicePresence) -> None:
        if life.state is not PresenceState.ONLINE:
            life.state = PresenceState.ONLINE
            self._watch(life)
            self._write_online(life)
        elif not life.written:
            self._write_online(life)

    def _write_online(self, life: DevicePresence) -> Deferred[None]:
        """Fires when that was tried."""
        life.written = True
        done = self.store.set_presence(life.device, PresenceState.ONLINE, self.clocks.now())
        return done.addCallbacks(self._was_written, self._not_written, callbackArgs=(life,), errbackArgs=(life,))

    def _was_written(self, _: None, life: DevicePresence) -> None:
        self._unwritten.discard(life)

    def _not_written(self, failure: Failure, life: DevicePresence) -> None:
        life.written = False  # the device's next word tries again, if we have not by then
        if life not in self._unwritten:
            self._unwritten.add(life)
            self._log.error(
                "{device}'s presence was not written: {error}", device=life.device, error=failure.getErrorMessage()
            )
