"""Tests of offline detection on the device port, in both dialects."""

import pytest

from pushd.core.devices.admission import AdmissionMode
from tests.connection import Connection
from tests.dialects.dialect_devices import DIALECT_DEVICES, READER, DialectDevice
from tests.in_memory_server import BuildServer, InMemoryServer

TIMEOUT = 5

pytestmark = pytest.mark.parametrize("device", DIALECT_DEVICES, ids=lambda device: device.id)


def register_and_poll(server: InMemoryServer, device: DialectDevice) -> None:
    """Register a device with a short heartbeat timeout, and have it poll and disconnect."""
    server.register(device.id, heartbeat_timeout=TIMEOUT)
    server.device_request(device.poll()).hang_up()


def poll(server: InMemoryServer, device: DialectDevice) -> Connection:
    """Send a poll, and keep it open."""
    return server.device_request(device.poll())


def presence(server: InMemoryServer, device: DialectDevice) -> str:
    """The presence of a device, as an operator sees it."""
    return str(server.device(device.id)["presence"])


def presence_events(server: InMemoryServer, device: DialectDevice) -> list[str]:
    """The types of a device's presence events."""
    kinds = ("device.online", "device.offline", "device.signed_off")
    return [kind for kind in server.events(device.id) if kind in kinds]


def test_device_that_stops_polling_is_offline(server: InMemoryServer, device: DialectDevice) -> None:
    """A device is online until its heartbeat timeout has passed without a request, and then offline."""
    register_and_poll(server, device)
    server.tick(TIMEOUT - 1)
    assert presence(server, device) == "online"
    server.tick(1)
    assert presence(server, device) == "offline"
    assert server.ask("GET /v1/devices?presence=offline").json["items"][0]["id"] == device.id
    server.tick(100)
    assert presence_events(server, device) == ["device.online", "device.offline"]


def test_default_timeout_of_each_dialect(server: InMemoryServer, device: DialectDevice) -> None:
    """By default the heartbeat timeout is two minutes for a reader, and twenty for a container."""
    timeout = 120 if device is READER else 1200
    poll(server, device).hang_up()
    server.tick(timeout - 1)
    assert presence(server, device) == "online"
    server.tick(1)
    assert presence(server, device) == "offline"


def test_device_that_polls_again_is_online(server: InMemoryServer, device: DialectDevice) -> None:
    """The next poll makes an offline device online; when it stops polling again, there is a new event."""
    register_and_poll(server, device)
    server.tick(TIMEOUT)
    poll(server, device).hang_up()
    assert presence(server, device) == "online"
    server.tick(TIMEOUT)
    assert presence_events(server, device) == ["device.online", "device.offline"] * 2


def test_held_poll_keeps_a_device_online(server: InMemoryServer, device: DialectDevice) -> None:
    """A device is online while its poll is held; the heartbeat timeout starts when the poll ends."""
    register_and_poll(server, device)
    poll(server, device)
    server.tick(int(device.hold) + TIMEOUT - 1)
    assert presence(server, device) == "online"
    server.tick(1)
    assert presence(server, device) == "offline"


def test_result_keeps_a_device_online(server: InMemoryServer, device: DialectDevice) -> None:
    """A device that runs a command instead of polling is kept online by its result."""
    server.register(device.id, heartbeat_timeout=TIMEOUT)
    command = server.put(device.id, device.payload)
    poll(server, device)
    server.tick(TIMEOUT - 1)
    server.device_request(device.result(command))
    server.tick(TIMEOUT - 1)
    assert presence(server, device) == "online"
    server.tick(1)
    assert presence(server, device) == "offline"


def test_device_that_never_polled_is_not_offline(server: InMemoryServer, device: DialectDevice) -> None:
    """A device that was registered and never polled is not offline, and there is no event."""
    server.register(device.id, heartbeat_timeout=TIMEOUT)
    server.tick(10 * TIMEOUT)
    assert presence(server, device) == "never_seen"
    assert presence_events(server, device) == []


def test_pending_device_goes_offline(build_server: BuildServer, device: DialectDevice) -> None:
    """An operator sees the presence of a pending device as well."""
    server = build_server(admission=AdmissionMode.APPROVE)
    poll(server, device).hang_up()
    server.tick(1200)
    assert (server.device(device.id)["admission"], presence(server, device)) == ("pending", "offline")


@pytest.mark.parametrize("stall", [2, 60, 86_400])
def test_pause_of_the_server_does_not_count(server: InMemoryServer, device: DialectDevice, stall: int) -> None:
    """While the server was paused no device could reach it: that time is not part of any heartbeat timeout."""
    register_and_poll(server, device)
    server.tick(TIMEOUT - 2)
    server.clock.advance(stall)
    server.tick(1)
    assert presence(server, device) == "online"
    poll(server, device).hang_up()
    server.tick(TIMEOUT - 1)
    assert presence_events(server, device) == ["device.online"]


@pytest.mark.parametrize(
    ("before", "after"), [(1200, TIMEOUT), (1, TIMEOUT)], ids=["it is shorter now", "it is longer now"]
)
def test_changed_timeout_applies_at_once(
    server: InMemoryServer, device: DialectDevice, before: int, after: int
) -> None:
    """If an operator changes the heartbeat timeout of a device, the new one applies at once."""
    server.register(device.id, heartbeat_timeout=before)
    poll(server, device).hang_up()
    assert server.ask(f"PATCH /v1/devices/{device.id}", {"heartbeat_timeout": after}).code == 200
    server.tick(after - 1)
    assert presence(server, device) == "online"
    server.tick(1)
    assert presence(server, device) == "offline"


def test_shortened_timeout_that_has_passed(server: InMemoryServer, device: DialectDevice) -> None:
    """If the new heartbeat timeout has passed already, the device is offline within a second."""
    server.register(device.id, heartbeat_timeout=1200)
    poll(server, device).hang_up()
    server.tick(600)
    server.ask(f"PATCH /v1/devices/{device.id}", {"heartbeat_timeout": 60})
    server.tick(1)
    assert presence(server, device) == "offline"
    poll(server, device).hang_up()
    server.tick(1200)
    assert presence_events(server, device) == ["device.online", "device.offline"] * 2


def test_deleted_device_is_not_offline(server: InMemoryServer, device: DialectDevice) -> None:
    """A deleted device never goes offline; if it polls again it is a new device, with a new heartbeat timeout."""
    register_and_poll(server, device)
    server.tick(1)
    assert server.ask(f"DELETE /v1/devices/{device.id}").code == 204
    server.tick(1)
    register_and_poll(server, device)
    server.tick(TIMEOUT - 1)
    assert presence(server, device) == "online"
    assert server.ask(f"DELETE /v1/devices/{device.id}").code == 204
    server.tick(2 * TIMEOUT)
    assert server.events(device.id)[-1] == "device.deleted"
    assert presence_events(server, device) == ["device.online", "device.online"]


def test_blocked_device_is_offline(server: InMemoryServer, device: DialectDevice) -> None:
    """The polls of a blocked device do not keep it online."""
    register_and_poll(server, device)
    server.ask(f"PATCH /v1/devices/{device.id}", {"admission": "blocked"})
    poll(server, device)
    server.tick(TIMEOUT)
    assert presence(server, device) == "offline"
