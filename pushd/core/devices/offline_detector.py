"""Heartbeat timeouts: find the devices that have stopped reporting, at a cost proportional to those that are due."""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from pushd.core.clocks import Clocks
from pushd.core.devices.presence import DevicePresence, Presence
from pushd.core.timers import Slot
from pushd.model.alert import AlertRules
from pushd.model.device import PresenceState
from pushd.store.interface import IStore

BATCH_SIZE = 500
"""Devices that are checked in one reactor turn."""

MARKED_TOGETHER = 25
"""Devices that one transaction marks offline: it runs on the reactor's thread, for some milliseconds."""


@define(eq=False)
class OfflineDetector:
    """Marks devices offline; :meth:`check` is to run every second, after :meth:`pushd.core.clocks.Clocks.tick`."""

    store: IStore
    clocks: Clocks
    presence: Presence
    rules: AlertRules
    _checked_at: float = field(default=0.0, init=False)
    """When the last check began, in steady seconds."""

    def start(self) -> None:
        """Start counting from now; the reactor's clock is replaced before this is called."""
        self._checked_at = self.clocks.steady()

    async def check(self) -> None:
        """Check the devices whose timeout may have passed, in batches, and mark the silent ones offline.

        :raises Unavailable: if that cannot be saved; a later check finds these devices again.
        """
        now = self._read_until()
        wheel = self.presence.wheel
        wheel.turn_to(now)
        while wheel.has_expired:
            silent = self._find_silent(*wheel.take(BATCH_SIZE), now)
            if silent:
                await self._mark_all_offline(silent)
            if wheel.has_expired:
                await deferLater(self.clocks.clock, 0)  # let other work run

    def _read_until(self) -> float:
        """Up to when the server has read what devices sent: if this check is late, requests may wait in the sockets,
        so silence counts only up to the time at which the check was due.
        """
        now, due = self.clocks.steady(), self._checked_at + self.clocks.interval
        self._checked_at = now
        return min(now, due)

    def _find_silent(
        self, slot: Slot[DevicePresence], entries: Iterable[DevicePresence], now: float
    ) -> list[DevicePresence]:
        """The devices whose timeout has passed. They leave the wheel; those that reported, or hold a poll, stay in it.

        With a million devices, all of them pass here every minute or two.
        """
        silent = []
        put, online, serves = self.presence.wheel.put, PresenceState.ONLINE, self.presence.membership.serves
        for entry in entries:
            if entry.slot is slot and entry.state is online:
                due = entry.active_at + entry.timeout
                if due > now:
                    entry.slot = put(entry, due)
                elif entry.held_polls:
                    entry.slot = put(entry, now + entry.timeout)
                else:
                    entry.slot = None
                    if serves(entry.device):
                        silent.append(entry)
        return silent

    async def _mark_all_offline(self, silent: Sequence[DevicePresence]) -> None:
        self.presence.mark_offline(silent)  # first: a device that reports from now on is saved as online after this
        parts = [silent[start : start + MARKED_TOGETHER] for start in range(0, len(silent), MARKED_TOGETHER)]
        marked: list[tuple[bool, Any]] = await DeferredList(
            [Deferred.fromCoroutine(self._mark_offline(part)) for part in parts], consumeErrors=True
        )
        for succeeded, result in marked:
            if not succeeded:
                result.raiseException()

    async def _mark_offline(self, silent: Sequence[DevicePresence]) -> None:
        try:
            addresses = {entry.device: entry.address for entry in silent}
            seen = await self.store.mark_offline(addresses, self.rules)
        except BaseException:
            self.presence.revert_offline(silent)
            raise
        for entry in silent:
            if entry.device in seen:
                self.presence.revert_offline([entry], seen[entry.device])
