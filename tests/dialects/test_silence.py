"""Tests of what both dialects have in common when a device falls silent, over bytes."""

import pytest

from pushd.core.devices.admission import AdmissionMode
from tests.connection import Connection
from tests.dialects.speakers import READER, SPEAKERS, Speaker
from tests.in_memory_server import BuildHouse, InMemoryServer

TIMEOUT = 5

pytestmark = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.device)


def appear(server: InMemoryServer, speaker: Speaker) -> None:
    """Have a device poll and hang up, whose silence is normal for a few seconds."""
    server.register(speaker.device, heartbeat_timeout=TIMEOUT)
    server.device_request(speaker.poll()).hang_up()


def poll(server: InMemoryServer, speaker: Speaker) -> Connection:
    """Hold a poll."""
    return server.device_request(speaker.poll())


def presence(server: InMemoryServer, speaker: Speaker) -> str:
    """Whether a device is there, as an operator sees it."""
    return str(server.seen(speaker.device)["presence"])


def comings(server: InMemoryServer, speaker: Speaker) -> list[str]:
    """What the feed tells of a device's comings and goings."""
    kinds = ("device.online", "device.offline", "device.signed_off")
    return [kind for kind in server.events(speaker.device) if kind in kinds]


def test_who_stops_polling_is_offline(server: InMemoryServer, speaker: Speaker) -> None:
    """A device that is silent for as long as is normal is still online, and offline at the end of it."""
    appear(server, speaker)
    server.tick(TIMEOUT - 1)
    assert presence(server, speaker) == "online"
    server.tick(1)
    assert presence(server, speaker) == "offline"
    assert server.ask("GET /v1/devices?presence=offline").json["items"][0]["id"] == speaker.device
    server.tick(100)
    assert comings(server, speaker) == ["device.online", "device.offline"]


def test_each_dialect_has_its_own_patience(server: InMemoryServer, speaker: Speaker) -> None:
    """Unless somebody says otherwise two minutes of silence are normal for a reader, twenty for a container."""
    normal = 120 if speaker is READER else 1200
    poll(server, speaker).hang_up()
    server.tick(normal - 1)
    assert presence(server, speaker) == "online"
    server.tick(1)
    assert presence(server, speaker) == "offline"


def test_who_comes_back_is_online(server: InMemoryServer, speaker: Speaker) -> None:
    """The next poll ends the silence, and the next silence is told anew."""
    appear(server, speaker)
    server.tick(TIMEOUT)
    poll(server, speaker).hang_up()
    assert presence(server, speaker) == "online"
    server.tick(TIMEOUT)
    assert comings(server, speaker) == ["device.online", "device.offline"] * 2


def test_a_held_poll_is_life(server: InMemoryServer, speaker: Speaker) -> None:
    """A device that listens is online for as long as its poll is open, and its silence counts from the end of it."""
    appear(server, speaker)
    poll(server, speaker)
    server.tick(int(speaker.hold) + TIMEOUT - 1)
    assert presence(server, speaker) == "online"
    server.tick(1)
    assert presence(server, speaker) == "offline"


def test_a_result_is_life(server: InMemoryServer, speaker: Speaker) -> None:
    """A device that works instead of polling is heard of when it reports."""
    server.register(speaker.device, heartbeat_timeout=TIMEOUT)
    command = server.put(speaker.device, speaker.payload)
    poll(server, speaker)
    server.tick(TIMEOUT - 1)
    server.device_request(speaker.result(command))
    server.tick(TIMEOUT - 1)
    assert presence(server, speaker) == "online"
    server.tick(1)
    assert presence(server, speaker) == "offline"


def test_who_never_came_is_not_missed(server: InMemoryServer, speaker: Speaker) -> None:
    """A device that was registered and never polled is not offline, and nobody hears of it."""
    server.register(speaker.device, heartbeat_timeout=TIMEOUT)
    server.tick(10 * TIMEOUT)
    assert presence(server, speaker) == "never_seen"
    assert comings(server, speaker) == []


def test_who_waits_for_an_approval_is_watched_too(build_house: BuildHouse, speaker: Speaker) -> None:
    """Of a pending device, too, an operator sees whether it is still there."""
    server = build_house(admission=AdmissionMode.APPROVE)
    poll(server, speaker).hang_up()
    server.tick(1200)
    assert (server.seen(speaker.device)["admission"], presence(server, speaker)) == ("pending", "offline")


@pytest.mark.parametrize("stall", [2, 60, 86_400])
def test_our_stall_is_not_their_silence(server: InMemoryServer, speaker: Speaker, stall: int) -> None:
    """While we did not turn nobody could reach us: however long that was, devices are given the time back."""
    appear(server, speaker)
    server.tick(TIMEOUT - 2)
    server.clock.advance(stall)
    server.tick(1)
    assert presence(server, speaker) == "online"
    poll(server, speaker).hang_up()
    server.tick(TIMEOUT - 1)
    assert comings(server, speaker) == ["device.online"]


@pytest.mark.parametrize(
    ("before", "after"), [(1200, TIMEOUT), (1, TIMEOUT)], ids=["it is shorter now", "it is longer now"]
)
def test_a_changed_timeout_counts_at_once(server: InMemoryServer, speaker: Speaker, before: int, after: int) -> None:
    """An operator who changes for how long silence is normal need not wait for the old time to pass."""
    server.register(speaker.device, heartbeat_timeout=before)
    poll(server, speaker).hang_up()
    assert server.ask(f"PATCH /v1/devices/{speaker.device}", {"heartbeat_timeout": after}).code == 200
    server.tick(after - 1)
    assert presence(server, speaker) == "online"
    server.tick(1)
    assert presence(server, speaker) == "offline"


def test_who_is_silent_for_too_long_already(server: InMemoryServer, speaker: Speaker) -> None:
    """A device whose silence is no longer normal once an operator has said so is offline within a second."""
    server.register(speaker.device, heartbeat_timeout=1200)
    poll(server, speaker).hang_up()
    server.tick(600)
    server.ask(f"PATCH /v1/devices/{speaker.device}", {"heartbeat_timeout": 60})
    server.tick(1)
    assert presence(server, speaker) == "offline"
    poll(server, speaker).hang_up()
    server.tick(1200)
    assert comings(server, speaker) == ["device.online", "device.offline"] * 2


def test_a_forgotten_device_is_not_missed(server: InMemoryServer, speaker: Speaker) -> None:
    """Nobody hears of the silence of a device that was deleted; if it comes back it is new, and its silence, too."""
    appear(server, speaker)
    server.tick(1)
    assert server.ask(f"DELETE /v1/devices/{speaker.device}").code == 204
    server.tick(1)
    appear(server, speaker)
    server.tick(TIMEOUT - 1)
    assert presence(server, speaker) == "online"
    assert server.ask(f"DELETE /v1/devices/{speaker.device}").code == 204
    server.tick(2 * TIMEOUT)
    assert server.events(speaker.device)[-1] == "device.deleted"
    assert comings(server, speaker) == ["device.online", "device.online"]


def test_a_blocked_device_is_not_there(server: InMemoryServer, speaker: Speaker) -> None:
    """A device that is refused is heard of no more."""
    appear(server, speaker)
    server.ask(f"PATCH /v1/devices/{speaker.device}", {"admission": "blocked"})
    poll(server, speaker)
    server.tick(TIMEOUT)
    assert presence(server, speaker) == "offline"
