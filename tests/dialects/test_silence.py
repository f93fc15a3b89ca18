"""Tests of what both dialects have in common when a device falls silent, over bytes."""

import pytest

from pushd.core.devices.admission import Mode
from tests.connection import Connection
from tests.dialects.speakers import READER, SPEAKERS, Speaker
from tests.in_memory_server import BuildHouse, House

TIMEOUT = 5

pytestmark = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.device)


def appear(house: House, speaker: Speaker) -> None:
    """Have a device poll and hang up, whose silence is normal for a few seconds."""
    house.register(speaker.device, heartbeat_timeout=TIMEOUT)
    house.knock(speaker.poll()).hang_up()


def poll(house: House, speaker: Speaker) -> Connection:
    """Hold a poll."""
    return house.knock(speaker.poll())


def presence(house: House, speaker: Speaker) -> str:
    """Whether a device is there, as an operator sees it."""
    return str(house.seen(speaker.device)["presence"])


def comings(house: House, speaker: Speaker) -> list[str]:
    """What the feed tells of a device's comings and goings."""
    kinds = ("device.online", "device.offline", "device.signed_off")
    return [kind for kind in house.events(speaker.device) if kind in kinds]


def test_who_stops_polling_is_offline(house: House, speaker: Speaker) -> None:
    """A device that is silent for as long as is normal is still online, and offline at the end of it."""
    appear(house, speaker)
    house.tick(TIMEOUT - 1)
    assert presence(house, speaker) == "online"
    house.tick(1)
    assert presence(house, speaker) == "offline"
    assert house.ask("GET /v1/devices?presence=offline").json["items"][0]["id"] == speaker.device
    house.tick(100)
    assert comings(house, speaker) == ["device.online", "device.offline"]


def test_each_dialect_has_its_own_patience(house: House, speaker: Speaker) -> None:
    """Unless somebody says otherwise two minutes of silence are normal for a reader, twenty for a container."""
    normal = 120 if speaker is READER else 1200
    poll(house, speaker).hang_up()
    house.tick(normal - 1)
    assert presence(house, speaker) == "online"
    house.tick(1)
    assert presence(house, speaker) == "offline"


def test_who_comes_back_is_online(house: House, speaker: Speaker) -> None:
    """The next poll ends the silence, and the next silence is told anew."""
    appear(house, speaker)
    house.tick(TIMEOUT)
    poll(house, speaker).hang_up()
    assert presence(house, speaker) == "online"
    house.tick(TIMEOUT)
    assert comings(house, speaker) == ["device.online", "device.offline"] * 2


def test_a_held_poll_is_life(house: House, speaker: Speaker) -> None:
    """A device that listens is online for as long as its poll is open, and its silence counts from the end of it."""
    appear(house, speaker)
    poll(house, speaker)
    house.tick(int(speaker.hold) + TIMEOUT - 1)
    assert presence(house, speaker) == "online"
    house.tick(1)
    assert presence(house, speaker) == "offline"


def test_a_result_is_life(house: House, speaker: Speaker) -> None:
    """A device that works instead of polling is heard of when it reports."""
    house.register(speaker.device, heartbeat_timeout=TIMEOUT)
    command = house.put(speaker.device, speaker.payload)
    poll(house, speaker)
    house.tick(TIMEOUT - 1)
    house.knock(speaker.result(command))
    house.tick(TIMEOUT - 1)
    assert presence(house, speaker) == "online"
    house.tick(1)
    assert presence(house, speaker) == "offline"


def test_who_never_came_is_not_missed(house: House, speaker: Speaker) -> None:
    """A device that was registered and never polled is not offline, and nobody hears of it."""
    house.register(speaker.device, heartbeat_timeout=TIMEOUT)
    house.tick(10 * TIMEOUT)
    assert presence(house, speaker) == "never_seen"
    assert comings(house, speaker) == []


def test_who_waits_for_an_approval_is_watched_too(build_house: BuildHouse, speaker: Speaker) -> None:
    """Of a pending device, too, an operator sees whether it is still there."""
    house = build_house(admission=Mode.APPROVE)
    poll(house, speaker).hang_up()
    house.tick(1200)
    assert (house.seen(speaker.device)["admission"], presence(house, speaker)) == ("pending", "offline")


@pytest.mark.parametrize("stall", [2, 60, 86_400])
def test_our_stall_is_not_their_silence(house: House, speaker: Speaker, stall: int) -> None:
    """While we did not turn nobody could reach us: however long that was, devices are given the time back."""
    appear(house, speaker)
    house.tick(TIMEOUT - 2)
    house.clock.advance(stall)
    house.tick(1)
    assert presence(house, speaker) == "online"
    poll(house, speaker).hang_up()
    house.tick(TIMEOUT - 1)
    assert comings(house, speaker) == ["device.online"]


@pytest.mark.parametrize(
    ("before", "after"), [(1200, TIMEOUT), (1, TIMEOUT)], ids=["it is shorter now", "it is longer now"]
)
def test_a_changed_timeout_counts_at_once(house: House, speaker: Speaker, before: int, after: int) -> None:
    """An operator who changes for how long silence is normal need not wait for the old time to pass."""
    house.register(speaker.device, heartbeat_timeout=before)
    poll(house, speaker).hang_up()
    assert house.ask(f"PATCH /v1/devices/{speaker.device}", {"heartbeat_timeout": after}).code == 200
    house.tick(after - 1)
    assert presence(house, speaker) == "online"
    house.tick(1)
    assert presence(house, speaker) == "offline"


def test_who_is_silent_for_too_long_already(house: House, speaker: Speaker) -> None:
    """A device whose silence is no longer normal once an operator has said so is offline within a second."""
    house.register(speaker.device, heartbeat_timeout=1200)
    poll(house, speaker).hang_up()
    house.tick(600)
    house.ask(f"PATCH /v1/devices/{speaker.device}", {"heartbeat_timeout": 60})
    house.tick(1)
    assert presence(house, speaker) == "offline"
    poll(house, speaker).hang_up()
    house.tick(1200)
    assert comings(house, speaker) == ["device.online", "device.offline"] * 2


def test_a_forgotten_device_is_not_missed(house: House, speaker: Speaker) -> None:
    """Nobody hears of the silence of a device that was deleted; if it comes back it is new, and its silence, too."""
    appear(house, speaker)
    house.tick(1)
    assert house.ask(f"DELETE /v1/devices/{speaker.device}").code == 204
    house.tick(1)
    appear(house, speaker)
    house.tick(TIMEOUT - 1)
    assert presence(house, speaker) == "online"
    assert house.ask(f"DELETE /v1/devices/{speaker.device}").code == 204
    house.tick(2 * TIMEOUT)
    assert house.events(speaker.device)[-1] == "device.deleted"
    assert comings(house, speaker) == ["device.online", "device.online"]


def test_a_blocked_device_is_not_there(house: House, speaker: Speaker) -> None:
    """A device that is refused is heard of no more."""
    appear(house, speaker)
    house.ask(f"PATCH /v1/devices/{speaker.device}", {"admission": "blocked"})
    poll(house, speaker)
    house.tick(TIMEOUT)
    assert presence(house, speaker) == "offline"
