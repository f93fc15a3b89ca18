"""Wants: which events a webhook is about."""

from collections.abc import Iterable

from attrs import define

from pushd.core.devices.registry import DeviceRegistry
from pushd.model.event import Event, EventType
from pushd.model.webhook import Webhook
from pushd.store.filters import EventFilter, EventPage
from pushd.store.interface import IStore

_RETAGS = (EventType.DEVICE_CHANGED, EventType.DEVICE_DELETED)
"""What is heard of before memory knows the device as it is then."""


@define(eq=False)
class SubscriptionFilter:
    """Judges by the tags that devices have now; by the last that they had, if they were forgotten."""

    registry: DeviceRegistry
    store: IStore

    def at_once(self, webhook: Webhook, event: Event) -> bool | None:
        """Whether an event that just happened is wanted; None if that must be looked up later."""
        if webhook.types and event.type not in webhook.types:
            return False
        if not webhook.tags:
            return True
        known = [self.registry.get(device) for device in _devices(event)]
        if event.type in _RETAGS or None in known:
            return None
        return any(set(webhook.tags) <= set(device.tags) for device in known if device is not None)

    async def __call__(self, webhook: Webhook, event: Event) -> bool:
        """Whether a device that an event, which is of a wanted type, is about has all tags that are wanted."""
        wanted = set(webhook.tags)
        if not wanted:
            return True
        for device in _devices(event):
            if wanted <= set(await self._tags(device, event.seq)):
                return True
        return False

    async def _tags(self, device: str, seq: int) -> Iterable[str]:
        known = self.registry.get(device)
        if known is not None:
            return known.tags
        which = EventFilter(device=device, types=(EventType.DEVICE_DELETED,))
        page: EventPage = await self.store.events(which, seq - 1, 1)
        return [tag for event in page.items for tag in event.data.get("tags", ())]


def _devices(event: Event) -> list[str]:
    """The devices that an event is about."""
    named = event.data.get("devices", ())
    devices = [event.device, *(named if isinstance(named, list | tuple) else ())]
    return [device for device in devices if device is not None]
