"""Names, sites and tags of devices: present ones, and of deleted devices the last ones."""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, frozen

from pushd.model.device import Device
from pushd.model.event import EventType
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

FindDevice = Callable[[str], Device | None]
"""Looks up a device by its id."""


@frozen(kw_only=True)
class DeviceLabels:
    """What an operator calls a device."""

    name: str = ""
    site: str | None = None
    tags: Sequence[str] = ()

    def as_data(self) -> dict[str, Any]:
        """As events have them in ``data``."""
        return {"name": self.name, "site": self.site, "tags": list(self.tags)}


@define(eq=False)
class KnownDevices:
    """Looks up what devices are called."""

    find: FindDevice
    store: IStore

    def present(self, device: str) -> DeviceLabels | None:
        """The labels that a device has now; None if it is not known."""
        found = self.find(device)
        return None if found is None else DeviceLabels(name=found.name, site=found.site, tags=found.tags)

    async def labels(self, device: str, seq: int = 0) -> DeviceLabels:
        """The labels that a device has now, or had when it was deleted, by the event with this ``seq`` or a later one;
        of a device that is not known, none.
        """
        labels = self.present(device)
        if labels is not None:
            return labels
        deletions = EventFilter(devices=(device,), types=(EventType.DEVICE_DELETED,))
        page: EventPage = await self.store.events(deletions, max(seq - 1, 0), 1)
        for event in page.items:
            known = ("name", "site", "tags")
            return DeviceLabels(**{name: event.data[name] for name in known if name in event.data})
        return DeviceLabels()
