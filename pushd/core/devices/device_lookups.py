"""Looks in the database for devices that memory lacks, because another process may have added them a moment ago."""

from collections.abc import Callable

from attrs import define, field

from pushd.core.devices.registry import DeviceRegistry
from pushd.model.errors import InvalidQuery, UnknownDevice
from pushd.store.interface import IStore
from pushd.store.membership import IMembership

PER_SECOND = 20.0
"""Devices that are looked for in a second; beyond that, what memory lacks counts as unknown."""


@define(eq=False)
class DeviceLookups:
    """Looks for so many devices per second, so that no client can load the database with ids of its own making.

    ``seconds`` is a monotonic clock.
    """

    store: IStore
    membership: IMembership
    registry: DeviceRegistry
    seconds: Callable[[], float]
    _left: float = field(default=PER_SECOND, init=False)
    _counted_at: float = field(default=0.0, init=False)

    def is_worth_it(self, device: str) -> bool:
        """Whether a device, whose id is in any spelling, is not known here, and may be to another process."""
        return self.membership.is_shared() and self._missing(device) is not None

    async def look_up(self, device: str) -> None:
        """Take over a device that is not known here, if the database has it.

        :raises Unavailable: if the database cannot be reached.
        """
        missing = self._missing(device) if self.membership.is_shared() else None
        if missing is None or not self._take():
            return
        stored = await self.store.stored_device(missing)
        if stored is not None and self.registry.get(missing) is None:
            self.registry.take_over({missing: stored})

    def _missing(self, device: str) -> str | None:
        """The id of a device that is not known; None if it is, or if no device can have this id."""
        try:
            canonical = self.registry.canonical_id(device)
        except (InvalidQuery, UnknownDevice):
            return None
        return None if self.registry.get(canonical) is not None else canonical

    def _take(self) -> bool:
        now = self.seconds()
        self._left = min(PER_SECOND, self._left + (now - self._counted_at) * PER_SECOND)
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
