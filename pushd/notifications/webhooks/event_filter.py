"""Which events a webhook subscribes to."""

from collections.abc import Iterable

from attrs import define

from pushd.core.devices.registry import DeviceRegistry
from pushd.model.event import Event, EventType
from pushd.model.webhook import Webhook
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

_TAGS_MAY_CHANGE = (EventType.DEVICE_CHANGED, EventType.DEVICE_DELETED)
"""Events that are published before the registry holds the device's new tags."""


@define(eq=False)
class SubscriptionFilter:
    """Matches events by type and by tags: a device's current tags, or for a deleted device its last ones."""

    registry: DeviceRegistry
    store: IStore

    def match_now(self, webhook: Webhook, event: Event) -> bool | None:
        """Whether an event that was just published matches; None if only :meth:`match` can tell, later."""
        if webhook.types and event.type not in webhook.types:
            return False
        if not webhook.tags:
            return True
        devices = [self.registry.get(device) for device in _devices(event)]
        if event.type in _TAGS_MAY_CHANGE or None in devices:
            return None
        return any(set(webhook.tags) <= set(device.tags) for device in devices if device is not None)

    async def match(self, webhook: Webhook, event: Event) -> bool:
        """Whether an event, whose type matches, is about a device with all of the webhook's tags."""
        required = set(webhook.tags)
        if not required:
            return True
        for device in _devices(event):
            if required <= set(await self._tags(device, event.seq)):
                return True
        return False

    async def _tags(self, device: str, seq: int) -> Iterable[str]:
        known = self.registry.get(device)
        if known is not None:
            return known.tags
        deletions = EventFilter(device=device, types=(EventType.DEVICE_DELETED,))
        page: EventPage = await self.store.events(deletions, seq - 1, 1)
        return [tag for event in page.items for tag in event.data.get("tags", ())]


def _devices(event: Event) -> list[str]:
    """The devices that an event is about."""
    listed = event.data.get("devices", ())
    devices = [event.device, *(listed if isinstance(listed, list | tuple) else ())]
    return [device for device in devices if device is not None]
