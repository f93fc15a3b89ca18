"""
Presence: who is here, since when, and for how long devices are deaf between polls.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.core.clocks import Clocks
from pushd.model.device import Device, PresenceState, Sighting
from pushd.store.interface import IStore, Known

GAPS_KEPT = 9
"""Gaps between polls that the median is made of."""


@define(eq=False)
class Life:
    """
    What memory holds of a device that spoke; moments in wall milliseconds, ``idle_since`` in the clock's seconds.
    """

    state: PresenceState
    polls: int = 0
    last_seen_at: int | None = None
    address: str | None = None
    idle_since: float | None = None
    gaps: tuple[float, ...] = ()
    written: bool = True
    """Whether the store was told of the state, or is about to be."""

    @property
    def poll_gap(self) -> float | None:
        """
        Median seconds from our idle answer to the next poll.
        """
        return round(median(self.gaps), 3) if self.gaps else None


@define(eq=False)
class Presence:
    """
    Follows polls, acks, results and sign-offs; writes changes of state at once and sightings in batches.
    """

    store: IStore
    clocks: Clocks
    _lives: dict[str, Life] = field(factory=dict, init=False)
    _dirty: set[str] = field(factory=set, init=False)
    _log = Logger()

    def recall(self, known: Known) -> None:
        """
        Start from what the store knows.
        """
        for device in known.devices:
            if device.presence is not PresenceState.NEVER_SEEN:
                self._lives[device.id] = Life(device.presence)

    @contextmanager
    def here(self, device: str, address: str | None) -> Iterator[None]:
        """
        The device polls: it is here for as long as the poll is held.
        """
        life = self._life(device)
        self._end_gap(life)
        life.polls += 1
        self._seen(device, life, address)
        self._become(device, life, PresenceState.ONLINE)
        try:
            yield
        finally:
            life.polls -= 1
            self._seen(device, life, address)

    def spoke(self, device: str, address: str | None) -> None:
        """
        The device acknowledged or reported: a sign of life, but one that signed off stays so until it polls.
        """
        life = self._life(device)
        self._seen(device, life, address)
        if life.state is not PresenceState.SIGNED_OFF:
            self._become(device, life, PresenceState.ONLINE)

    async def sign_off(self, device: str, address: str | None) -> None:
        """
        The device goes away on purpose; done once that is durable.
        """
        life = self._life(device)
        self._seen(device, life, address)
        life.state = PresenceState.SIGNED_OFF
        await self.store.note_presence(device, life.state, self.clocks.now())

    def went_idle(self, device: str) -> None:
        """
        A poll was answered idle: from now on the device is deaf until its next.
        """
        life = self._lives.get(device)
        if life is not None:
            life.idle_since = self.clocks.clock.seconds()

    def next_poll_in(self, device: str) -> float | None:
        """
        In how many seconds the next poll is expected of a device that is deaf now; None if nobody can tell.
        """
        life = self._lives.get(device)
        if life is None or life.polls or life.idle_since is None or life.poll_gap is None:
            return None
        left = life.poll_gap - (self.clocks.clock.seconds() - life.idle_since)
        return round(left, 3) if left >= 0 else None

    def forget(self, device: str) -> None:
        """
        The device is no longer known.
        """
        self._lives.pop(device, None)
        self._dirty.discard(device)

    def overlay(self, device: Device) -> Device:
        """
        A stored device with what memory knows better.
        """
        life = self._lives.get(device.id)
        if life is None or life.last_seen_at is None:
            return device
        return evolve(
            device,
            presence=life.state,
            last_seen_at=self.clocks.wall_now() if life.polls else life.last_seen_at,
            last_address=life.address,
            poll_gap=device.poll_gap if life.poll_gap is None else life.poll_gap,
        )

    def flush(self) -> Deferred[None]:
        """
        Write down who was seen since the last time.
        """
        dirty, self._dirty = self._dirty, set()
        sightings = [self._sighting(device, self._lives[device]) for device in dirty]
        return self.store.note_sightings(sightings)

    def _sighting(self, device: str, life: Life) -> Sighting:
        seen = life.last_seen_at or self.clocks.wall_now()
        return Sighting(device=device, last_seen_at=seen, last_address=life.address, poll_gap=life.poll_gap)

    def _life(self, device: str) -> Life:
        life = self._lives.get(device)
        if life is None:
            life = self._lives[device] = Life(PresenceState.NEVER_SEEN)
        return life

    def _seen(self, device: str, life: Life, address: str | None) -> None:
        life.last_seen_at = self.clocks.wall_now()
        life.address = address
        if device in self._lives:
            self._dirty.add(device)

    def _end_gap(self, life: Life) -> None:
        idle_since, life.idle_since = life.idle_since, None
        if idle_since is not None:
            gap = self.clocks.clock.seconds() - idle_since
            life.gaps = (*life.gaps, gap)[-GAPS_KEPT:]

    def _become(self, device: str, life: Life, state: PresenceState) -> None:
        if life.state is not state or not life.written:
            life.state, life.written = state, True
            done = self.store.note_presence(device, state, self.clocks.now())
            done.addErrback(self._not_written, device, life)

    def _not_written(self, failure: Failure, device: str, life: Life) -> None:
        life.written = False  # the device's next word tries again
        self._log.error("{device}'s presence was not written: {error}", device=device, error=failure.getErrorMessage())
