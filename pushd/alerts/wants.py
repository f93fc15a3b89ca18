"""
Wants: which events a webhook with tags is about.
"""

from collections.abc import Iterable

from attrs import define

from pushd.core.fleet import Fleet
from pushd.model.events import Event, EventType
from pushd.store.interface import EventFilter, EventPage, IStore


@define(eq=False)
class Wants:
    """
    Judges by the tags that devices have now; by the last that they had, if they were forgotten.
    """

    fleet: Fleet
    store: IStore

    async def __call__(self, tags: Iterable[str], event: Event) -> bool:
        """
        Whether a device that the event is about has all of ``tags``.
        """
        wanted = set(tags)
        if not wanted:
            return True
        named = event.data.get("devices", ())
        devices = [event.device, *(named if isinstance(named, list | tuple) else ())]
        for device in devices:
            if device is not None and wanted <= set(await self._tags(device, event.seq)):
                return True
        return False

    async def _tags(self, device: str, seq: int) -> Iterable[str]:
        known = self.fleet.get(device)
        if known is not None:
            return known.tags
        which = EventFilter(device=device, types=(EventType.DEVICE_DELETED,))
        page: EventPage = await self.store.events(which, seq - 1, 1)
        return [tag for event in page.items for tag in event.data.get("tags", ())]
