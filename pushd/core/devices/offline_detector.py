"""The watchdog: notices the devices that have fallen silent, at the cost of those whose time is up."""

from collections.abc import Iterable, Sequence

from attrs import define, field
from twisted.internet.task import deferLater

from pushd.core.clocks import Clocks
from pushd.core.devices.life import DevicePresence
from pushd.core.devices.presence import Presence
from pushd.core.timers import Slot
from pushd.model.alert import AlertRules
from pushd.model.device import PresenceState
from pushd.store.interface import IStore

BATCH_SIZE = 500
"""Devices that are looked at in one turn of the reactor, and told to the store in one verb."""


@define(eq=False)
class OfflineDetector:
    """Somebody calls :meth:`check` every second, after :meth:`pushd.core.clocks.Clocks.tick`."""

    store: IStore
    clocks: Clocks
    presence: Presence
    rules: AlertRules
    _rounded: float = field(default=0.0, init=False)
    """When the last round began, in steady seconds."""

    def start(self) -> None:
        """Now we begin to listen; before, not even the clock is the one to go by."""
        self._rounded = self.clocks.steady()

    async def check(self) -> None:
        """Look at those whose time is up, a piece at a time; those who are silent are offline then, and told.

        :raises Unavailable: if the store does not answer; they will be told in a later round.
        """
        now = self._listened_until()
        wheel = self.presence.wheel
        wheel.turn_to(now)
        while wheel.waiting:
            silent = self._look(*wheel.take(BATCH_SIZE), now)
            if silent:
                await self._tell(silent)
            if wheel.waiting:
                await deferLater(self.clocks.clock, 0)  # others have their turn, too

    def _listened_until(self) -> float:
        """Until when we have heard what devices said: if this round is late, something may wait in the sockets."""
        now, due = self.clocks.steady(), self._rounded + self.clocks.interval
        self._rounded = now
        return min(now, due)

    def _look(self, slot: Slot[DevicePresence], lives: Iterable[DevicePresence], now: float) -> list[DevicePresence]:
        """Move on those who have spoken since, or whose poll is held; the silent ones leave the wheel.

        A million devices pass here every minute or two.
        """
        silent = []
        put, online = self.presence.wheel.put, PresenceState.ONLINE
        for life in lives:
            if life.slot is slot and life.state is online:
                due = life.spoke_at + life.timeout
                if due > now:
                    life.slot = put(life, due)
                elif life.polls:
                    life.slot = put(life, now + life.timeout)
                else:
                    life.slot = None
                    silent.append(life)
        return silent

    async def _tell(self, silent: Sequence[DevicePresence]) -> None:
        self.presence.lost(silent)  # first: who speaks from now on is written as online, after this
        try:
            await self.store.mark_offline([life.device for life in silent], self.rules, self.clocks.now())
        except BaseException:
            self.presence.not_lost(silent)
            raise
