"""Tests of :mod:`pushd.notifications.webhooks.event_filter`."""

from typing import Any

from tests.notifications.webhook_harness import WebhookHarness


def test_types(harness: WebhookHarness) -> None:
    """A webhook gets events of the types that it lists, and no others."""
    webhook = harness.subscribe(types=["device.changed", "device.deleted"])
    harness.register_devices()
    harness.server.ask("PATCH /v1/devices/controlid:1", {"name": "Front door"})
    harness.server.ask("DELETE /v1/devices/controlid:1")
    harness.run()
    assert harness.receiver.types == ["device.changed", "device.deleted"]
    assert harness.get(webhook)["types"] == ["device.changed", "device.deleted"]


def test_tags(harness: WebhookHarness) -> None:
    """A webhook with tags gets the events of devices that have all of them."""
    harness.subscribe(tags=["berlin", "door"])
    harness.register_devices(tags=["berlin"])
    [matching] = harness.register_devices(tags=["door", "berlin", "old"])
    harness.register_devices(tags=[])
    harness.run()
    assert harness.receiver.ids == [matching]


def test_deleted_device(harness: WebhookHarness) -> None:
    """The events of a device that was deleted match the tags that it had."""
    harness.subscribe(tags=["berlin"])
    harness.register_devices(2, tags=["berlin"])
    harness.server.put("controlid:1", {"endpoint": "load_objects"})
    harness.server.ask("DELETE /v1/devices/controlid:1")
    harness.run()
    assert harness.receiver.types == ["device.registered"] * 2 + [
        "command.queued",
        "command.cancelled",
        "device.deleted",
    ]


def test_device_that_gets_a_tag(harness: WebhookHarness) -> None:
    """The change that gives a device the tag matches, and so do the events after it."""
    harness.register_devices()
    harness.subscribe(tags=["berlin"])
    changes: list[dict[str, Any]] = [{"name": "Door"}, {"tags": ["berlin"]}, {"name": "Front door"}, {"tags": []}]
    for fields in changes:
        harness.server.ask("PATCH /v1/devices/controlid:1", fields)
        harness.run()
    assert [message.event["data"]["fields"] for message in harness.receiver.messages] == [["tags"], ["name"]]
