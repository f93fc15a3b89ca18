"""Which events a webhook subscribes to."""

from attrs import define

from pushd.model.event import Event, EventType
from pushd.model.webhook import Webhook
from pushd.notifications.known_devices import KnownDevices

_LABELS_MAY_CHANGE = (EventType.DEVICE_CHANGED, EventType.DEVICE_DELETED)
"""Events that are published before the registry holds the device's new site and tags."""


@define(eq=False)
class SubscriptionFilter:
    """Matches events by type and by device: its id, and its current site and tags, or for a deleted one its last."""

    known_devices: KnownDevices

    def match_now(self, webhook: Webhook, event: Event) -> bool | None:
        """Whether an event that was just published matches; None if only :meth:`match` can tell, later."""
        if webhook.types and event.type not in webhook.types:
            return False
        if not webhook.is_narrowed:
            return True
        found = {device: self.known_devices.present(device) for device in devices_of(event)}
        if event.type in _LABELS_MAY_CHANGE or None in found.values():
            return None
        return any(webhook.selects(device, labels.site, labels.tags) for device, labels in found.items() if labels)

    async def match(self, webhook: Webhook, event: Event) -> bool:
        """Whether an event, whose type matches, is about a device that the webhook selects."""
        if not webhook.is_narrowed:
            return True
        for device in devices_of(event):
            labels = await self.known_devices.labels(device, event.seq)
            if webhook.selects(device, labels.site, labels.tags):
                return True
        return False


def devices_of(event: Event) -> list[str]:
    """The devices that an event is about."""
    listed = event.data.get("devices", ())
    devices = [event.device, *(listed if isinstance(listed, list | tuple) else ())]
    return [device for device in devices if device is not None]
