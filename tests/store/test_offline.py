"""Tests of how offline devices become alerts, alone or by site."""

import pytest
from attrs import evolve

from pushd.model.alert import AlertKind, AlertRules
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import UnknownAlert
from pushd.model.event import Event
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.conftest import StoreUnderTest
from tests.store.outages import RULES, SITE, add_site, alerts, come_online, go_offline
from tests.store.samples import (
    ALL_ALERTS,
    CLEARED_ALERTS,
    OPEN_ALERTS,
    OTHER_READER,
    READER,
    UNREGISTERED,
    at,
    device,
    wall,
)
from tests.store.steps import event_types, get_device


async def test_an_offline_device_raises_one_alert_after_the_grace_period(store: IStore, events: list[Event]) -> None:
    """It is offline at once, and one alert is raised half a minute later."""
    await go_offline(store, READER)
    assert (await get_device(store, READER)).presence is PresenceState.OFFLINE
    assert await alerts(store, 29.9) == []
    (raised,) = await alerts(store, 30)
    assert (raised.kind, raised.devices, raised.raised_at) == (AlertKind.OFFLINE, (READER,), wall(30))
    assert await alerts(store, 3000) == [raised]
    assert event_types(events)[-2:] == ["device.offline", "alert.raised"]
    assert events[-1].data == {"alert": str(raised.id), "kind": "offline", "devices": [READER], "count": 1}


async def test_a_device_that_returns_clears_its_alert(store: IStore, events: list[Event]) -> None:
    """The next heartbeat clears the alert, whose event says how long it lasted."""
    await go_offline(store, READER)
    (raised,) = await alerts(store, 30)
    await come_online(store, READER, seconds=100)
    assert await alerts(store, 200) == []
    assert await store.alerts(CLEARED_ALERTS, None, 10) == [evolve(raised, cleared_at=wall(100), duration=70.0)]
    assert event_types(events)[-2:] == ["device.online", "alert.cleared"]
    assert events[-1].data["duration"] == 70.0
    assert events[-2].data["after"] == "offline"


async def test_a_device_that_returns_in_its_grace_period_raises_nothing(store: IStore, events: list[Event]) -> None:
    """There is no alert about a device that returned within the window."""
    await go_offline(store, READER)
    await come_online(store, READER, seconds=29)
    assert await alerts(store, 100) == []
    assert "alert.raised" not in event_types(events)


async def test_a_device_that_signs_off_clears_its_alert(store: IStore) -> None:
    """A device that signs off is no longer offline."""
    await go_offline(store, READER, OTHER_READER)
    assert len(await alerts(store, 30)) == 2
    await when(store, at(40)).set_presence(READER, PresenceState.SIGNED_OFF)
    assert [each.devices for each in await alerts(store, 50)] == [(OTHER_READER,)]


async def test_only_online_devices_go_offline(store: IStore, events: list[Event]) -> None:
    """A device that was never seen, or signed off, or does not exist, does not go offline."""
    await store.set_presence(OTHER_READER, PresenceState.SIGNED_OFF)
    await store.mark_offline(dict.fromkeys([READER, OTHER_READER, UNREGISTERED]), RULES)
    assert await alerts(store, 100) == []
    assert event_types(events) == ["device.signed_off"]


@pytest.mark.parametrize("admission", [Admission.PENDING, Admission.BLOCKED])
async def test_only_approved_devices_raise_alerts(store: IStore, admission: Admission) -> None:
    """A pending or blocked device goes offline without an alert."""
    await store.change_device(READER, {"admission": admission})
    await go_offline(store, READER)
    stored = PresenceState.NEVER_SEEN if admission is Admission.PENDING else PresenceState.OFFLINE
    assert (await get_device(store, READER)).presence is stored
    assert await alerts(store, 100) == []


@pytest.mark.parametrize("alerted", [False, True])
async def test_blocking_or_deleting_a_device_drops_its_alerts(store: IStore, alerted: bool) -> None:
    """Its alert is cleared, or not raised."""
    await go_offline(store, READER, OTHER_READER)
    assert len(await alerts(store, 30 if alerted else 10)) == (2 if alerted else 0)
    await when(store, at(31)).change_device(READER, {"admission": Admission.BLOCKED})
    await when(store, at(31)).forget_device(OTHER_READER)
    assert await alerts(store, 100) == []


async def test_many_behind_one_address_are_one_alert(store: IStore, events: list[Event]) -> None:
    """A site that goes offline is one alert that lists its devices, and lasts until the last has returned."""
    await add_site(store, SITE)
    for second, name in enumerate(SITE):
        await go_offline(store, name, seconds=second)
    await go_offline(store, READER, seconds=2)
    grouped, alone = sorted(await alerts(store, 35), key=lambda alert: -len(alert.devices))
    assert (grouped.kind, grouped.devices, grouped.address) == (AlertKind.SITE_OFFLINE, tuple(SITE), "198.51.100.7")
    assert (alone.kind, alone.devices, alone.address) == (AlertKind.OFFLINE, (READER,), None)
    await come_online(store, *SITE[:-1], READER, seconds=40)
    assert await alerts(store, 41) == [grouped]
    await come_online(store, SITE[-1], seconds=50)
    assert await alerts(store, 51) == []
    assert event_types(events).count("alert.cleared") == 2


@pytest.mark.parametrize(
    ("sites", "shared"),
    [(["Lobby"] * 5, "Lobby"), (["Lobby"] * 4 + ["Yard"], None), ([None] + ["Lobby"] * 4, None), ([None] * 5, None)],
)
async def test_a_site_alert_names_the_site_that_its_devices_share(
    store: IStore, events: list[Event], sites: list[str | None], shared: str | None
) -> None:
    """The alert, and its events, have the site of its devices if it is the same for all of them."""
    await add_site(store, SITE)
    for name, site in zip(SITE, sites, strict=True):
        await store.change_device(name, {"site": site})
    await go_offline(store, *SITE)
    (raised,) = await alerts(store, 30)
    assert (raised.kind, raised.site) == (AlertKind.SITE_OFFLINE, shared)
    await come_online(store, *SITE, seconds=40)
    of_alert = [event.data.get("site") for event in events if event.type.startswith("alert.")]
    assert of_alert == [shared, shared]


async def test_an_ipv6_site_is_one_alert(store: IStore) -> None:
    """Devices of one IPv6 /64 are one site, though each has its own address; a neighbouring /64 is another site."""
    names = [f"controlid:30{number}" for number in range(6)]
    for number, name in enumerate(names):
        prefix = "2001:db8:0:1" if number < 5 else "2001:db8:0:2"
        await add_site(store, [name], f"{prefix}::{number:x}")
    await come_online(store, *OTHERS)
    await go_offline(store, *names)
    grouped, alone = sorted(await alerts(store, 30), key=lambda alert: -alert.count)
    assert (grouped.kind, grouped.address, grouped.count) == (AlertKind.SITE_OFFLINE, "2001:db8:0:1::/64", 5)
    assert (alone.kind, alone.devices) == (AlertKind.OFFLINE, (names[5],))


async def test_an_ipv4_address_is_the_same_in_both_spellings(store: IStore) -> None:
    """Devices behind one IPv4 address are one site, though some reached an IPv6 socket."""
    await add_site(store, SITE[:3], "192.0.2.7")
    await add_site(store, SITE[3:], "::ffff:192.0.2.7")
    await go_offline(store, *SITE)
    assert [(each.address, each.count) for each in await alerts(store, 30)] == [("192.0.2.7", 5)]


OTHERS = (READER, OTHER_READER)
FLEET = [f"controlid:2{number:04}" for number in range(1200)]


async def add_fleet(store: IStore, count: int) -> list[str]:
    """So many online devices, each five behind one address."""
    names = FLEET[:count]
    for number in range(0, count, 5):
        await add_site(store, names[number : number + 5], f"198.51.{number // 5 // 250}.{number // 5 % 250}")
    await come_online(store, *names)
    return names


async def test_a_fleet_that_goes_offline_is_one_alert(store: IStore, events: list[Event]) -> None:
    """An outage of our own network is one alert, and one mail, not one for each device or site; it lists the first
    1000 devices and counts all.
    """
    names = await add_fleet(store, 1200)
    await go_offline(store, *names)
    (alert,) = await alerts(store, 30)
    assert (alert.kind, alert.address, alert.count) == (AlertKind.FLEET_OFFLINE, None, 1200)
    assert alert.devices == tuple(names[:1000])
    raised = [event.data for event in events if event.type == "alert.raised"]
    assert [(data["kind"], data["count"], len(data["devices"])) for data in raised] == [("fleet_offline", 1200, 1000)]


async def test_a_fleet_alert_ends_when_at_most_a_tenth_is_missing(store: IStore, events: list[Event]) -> None:
    """The devices that are still missing have a grace period again, and then an alert of their own."""
    names = await add_fleet(store, 20)
    await go_offline(store, *names)
    (alert,) = await alerts(store, 30)
    await come_online(store, *names[3:], seconds=100)
    assert await alerts(store, 100) == [alert]
    await come_online(store, names[2], seconds=101)
    assert await alerts(store, 102) == []
    assert [event.data["duration"] for event in events if event.type == "alert.cleared"] == [72.0]
    await come_online(store, names[1], seconds=110)
    assert await alerts(store, 131) == []
    (last,) = await alerts(store, 132)
    assert (last.kind, last.devices) == (AlertKind.OFFLINE, (names[0],))
    assert await when(store, at(133)).fsck() == []


async def test_half_of_the_fleet_is_not_most_of_it(store: IStore) -> None:
    """While as many devices stay online as go offline, their sites are alerts of their own."""
    names = await add_fleet(store, 40)
    await go_offline(store, *names[:20])
    assert {each.kind for each in await alerts(store, 30)} == {AlertKind.SITE_OFFLINE}


async def test_a_small_fleet_is_no_fleet(store: IStore) -> None:
    """Ten devices that all go offline are two sites."""
    names = await add_fleet(store, 10)
    await go_offline(store, *names)
    assert [each.kind for each in await alerts(store, 30)] == [AlertKind.SITE_OFFLINE] * 2


async def test_a_device_is_in_one_alert_about_its_outage(store: IStore) -> None:
    """A site that is alerted already does not appear in the alert about the rest of the fleet."""
    names = await add_fleet(store, 25)
    await go_offline(store, *names[:5])
    await alerts(store, 30)
    await go_offline(store, *names[5:], seconds=40)
    site, fleet = sorted(await alerts(store, 70), key=lambda alert: alert.count)
    assert (site.count, fleet.kind, fleet.devices) == (5, AlertKind.FLEET_OFFLINE, tuple(names[5:]))
    await when(store, at(71)).forget_device(names[5])
    await come_online(store, *names, seconds=72)
    assert await alerts(store, 73) == []


async def test_few_behind_one_address_are_alerts_of_their_own(store: IStore) -> None:
    """Four devices behind one address are four alerts."""
    await add_site(store, SITE[:4])
    await go_offline(store, *SITE[:4])
    assert sorted(each.devices for each in await alerts(store, 30)) == [(name,) for name in SITE[:4]]


async def test_devices_that_go_offline_later_do_not_join_an_alert(store: IStore) -> None:
    """A device that goes offline after the window of an alert has its own."""
    await add_site(store, SITE)
    await go_offline(store, *SITE[:4])
    await alerts(store, 30)
    await go_offline(store, SITE[4], seconds=31)
    assert len(await alerts(store, 61)) == 5


async def test_muted_devices_raise_nothing(store: IStore) -> None:
    """A muted device goes offline without an alert, which is raised if it is still offline when the mute ends."""
    await store.change_device(READER, {"muted_until": wall(300)})
    await go_offline(store, READER)
    assert (await get_device(store, READER)).presence is PresenceState.OFFLINE
    for second in range(30, 300, 10):
        assert await alerts(store, second) == []
    assert [each.devices for each in await alerts(store, 301)] == [(READER,)]


async def test_muted_devices_are_not_counted_with_their_neighbours(store: IStore) -> None:
    """Four offline devices and a muted one behind one address are no site."""
    await add_site(store, SITE)
    await store.change_device(SITE[2], {"muted_until": wall(3000)})
    await go_offline(store, *SITE)
    assert len(await alerts(store, 30)) == 4


async def test_a_grace_period_restarts_when_a_mute_is_removed(store: IStore) -> None:
    """If the device is still offline then, it has a whole grace period."""
    await when(store, at()).change_device(READER, {"muted_until": wall(3000)})
    await go_offline(store, READER)
    assert await alerts(store, 100) == []
    await when(store, at(110)).change_device(READER, {"muted_until": None})
    assert await alerts(store, 139) == []
    assert len(await alerts(store, 140)) == 1


async def flap(store: IStore, times: int, start: float = 0, rules: AlertRules = RULES) -> float:
    """Have the device go offline so many times, 20 seconds apart, and return in between; when it last went offline."""
    for number in range(times):
        await go_offline(store, READER, seconds=start + 20 * number, rules=rules)
        await alerts(store, start + 20 * number + 1, rules)
    return start + 20 * (times - 1)


async def test_a_flapping_device_is_one_alert(store: IStore) -> None:
    """Five changes in ten minutes are one alert of kind flapping, and no other while it is open."""
    await come_online(store, READER)
    assert await flap(store, 2) == 20
    assert await alerts(store, 25) == []
    last = await flap(store, 3, 40)
    (raised,) = await alerts(store, last + 1)
    assert (raised.kind, raised.devices) == (AlertKind.FLAPPING, (READER,))
    assert await alerts(store, last + 100) == [raised]


async def test_a_device_that_stays_online_no_longer_flaps(store: IStore, events: list[Event]) -> None:
    """The flapping alert is cleared when the device has not changed for long enough."""
    await come_online(store, READER)
    last = await flap(store, 5)
    await come_online(store, READER, seconds=last + 5)
    assert len(await alerts(store, 300)) == 1
    assert await alerts(store, last + 5 + 600) == []
    assert event_types(events).count("alert.raised") == event_types(events).count("alert.cleared") == 1


async def test_a_device_that_flapped_and_stays_offline_raises_an_alert(store: IStore) -> None:
    """The offline alert is raised once the device no longer counts as flapping."""
    await come_online(store, READER)
    last = await flap(store, 5)
    seen: set[tuple[AlertKind, tuple[str, ...]]] = set()
    for second in range(0, 720, 10):
        seen.update((each.kind, each.devices) for each in await alerts(store, last + second))
    (raised,) = await alerts(store, last + 720)
    assert (raised.kind, raised.devices) == (AlertKind.OFFLINE, (READER,))
    assert seen == {(AlertKind.FLAPPING, (READER,)), (AlertKind.OFFLINE, (READER,))}


async def test_signing_off_and_on_is_not_flapping(store: IStore) -> None:
    """A container that is restarted again and again signs off each time, and does not flap."""
    for number in range(10):
        await come_online(store, READER, seconds=10 * number)
        await when(store, at(10 * number + 5)).set_presence(READER, PresenceState.SIGNED_OFF)
    await go_offline(store, READER, seconds=101)
    assert await alerts(store, 102) == []


async def test_an_alert_is_acknowledged_once(store: IStore, events: list[Event]) -> None:
    """The first acknowledgement is kept, and is an event."""
    await go_offline(store, READER)
    (raised,) = await alerts(store, 30)
    taken = await when(store, at(60)).acknowledge_alert(raised.id, "night shift")
    assert taken == evolve(raised, acknowledged_at=wall(60), acknowledged_by="night shift")
    assert await when(store, at(70)).acknowledge_alert(raised.id, "day shift") == taken
    assert event_types(events).count("alert.acknowledged") == 1


async def test_an_unknown_alert_cannot_be_acknowledged(store: IStore) -> None:
    """An unknown id is an error."""
    with pytest.raises(UnknownAlert):
        await store.acknowledge_alert(77, "night shift")


async def test_alerts_are_listed_newest_first_in_pages(store: IStore) -> None:
    """Each page goes on before the last alert of the one before."""
    await add_site(store, SITE, address="")
    for second, name in enumerate(SITE):
        await go_offline(store, name, seconds=second, rules=evolve(RULES, together=99))
    await alerts(store, 100, evolve(RULES, together=99))
    pages = []
    before = None
    while page := await store.alerts(ALL_ALERTS, before, 2):
        pages.append([each.devices[0] for each in page])
        before = page[-1].id
    assert pages == [[SITE[4], SITE[3]], [SITE[2], SITE[1]], [SITE[0]]]


async def test_a_limit_bounds_how_many_alerts_one_call_raises(store: IStore) -> None:
    """Many alerts are raised a few at a time, so that other operations do not wait for long."""
    await add_site(store, SITE, address="")
    await go_offline(store, *SITE, rules=evolve(RULES, together=99))
    rules = evolve(RULES, together=99)
    assert [await when(store, at(30)).raise_alerts(rules, 2) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize("kind", ["file", "threads"])
async def test_a_grace_period_restarts_with_the_server(under_test: StoreUnderTest) -> None:
    """A server that stops during a grace period raises the alert later, after the device had time to return."""
    under_test.open(at())
    await when(under_test.store, at()).add_device(device(READER), False)
    await go_offline(under_test.store, READER)
    await under_test.restart(at(100))
    assert await alerts(under_test.store, 101) == []
    assert [each.devices for each in await alerts(under_test.store, 130)] == [(READER,)]


async def test_mails_are_due_until_an_alert_is_acknowledged(store: IStore) -> None:
    """An alert is mailed at once, and again each hour, until it is acknowledged."""
    rules = evolve(RULES, mails=True, remind=3600.0)
    await go_offline(store, READER, rules=rules)
    (raised,) = await alerts(store, 30, rules)
    assert await when(store, at(30)).due_mails(10) == [raised]
    await when(store, at(31)).save_mailed(raised, None, rules)
    assert await when(store, at(3000)).due_mails(10) == []
    assert await when(store, at(3631)).due_mails(10) == [evolve(raised, mailed_at=wall(31))]
    await when(store, at(3632)).save_mailed(raised, None, rules)
    await when(store, at(3640)).acknowledge_alert(raised.id, "night shift")
    assert await when(store, at(99999)).due_mails(10) == []


async def test_an_alert_that_was_cleared_before_its_mail_is_mailed_all_the_same(store: IStore) -> None:
    """An alert that was raised and cleared while the mail server was down is mailed once."""
    rules = evolve(RULES, mails=True, remind=3600.0)
    await go_offline(store, READER, rules=rules)
    await alerts(store, 30, rules)
    await come_online(store, READER, seconds=60)
    (late,) = await when(store, at(100)).due_mails(10)
    assert late.cleared_at == wall(60)
    await when(store, at(100)).save_mailed(late, None, rules)
    assert await when(store, at(99999)).due_mails(10) == []


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_the_end_of_an_alert_that_was_mailed_is_mailed(store: IStore, acknowledged: bool) -> None:
    """An alert that was mailed is mailed once more when it is cleared, also if it was acknowledged."""
    rules = evolve(RULES, mails=True, remind=3600.0)
    await go_offline(store, READER, rules=rules)
    (raised,) = await alerts(store, 30, rules)
    await when(store, at(31)).save_mailed(raised, None, rules)
    if acknowledged:
        await when(store, at(32)).acknowledge_alert(raised.id, "ana")
    await come_online(store, READER, seconds=60)
    (cleared,) = await when(store, at(60)).due_mails(10)
    assert (cleared.cleared_at, cleared.mailed_at) == (wall(60), wall(31))
    await when(store, at(61)).save_mailed(cleared, None, rules)
    assert await when(store, at(99999)).due_mails(10) == []


async def test_an_alert_that_is_cleared_while_it_is_mailed(store: IStore) -> None:
    """An alert that is cleared while the mail that it is open is sent is mailed once more."""
    rules = evolve(RULES, mails=True, remind=3600.0)
    await go_offline(store, READER, rules=rules)
    (raised,) = await alerts(store, 30, rules)
    await come_online(store, READER, seconds=60)
    await when(store, at(61)).save_mailed(raised, None, rules)
    (cleared,) = await when(store, at(61)).due_mails(10)
    assert cleared.cleared_at == wall(60)


async def test_a_mail_without_recipients(store: IStore) -> None:
    """An alert whose mail has no recipients is not mailed, neither now nor when it is cleared."""
    rules = evolve(RULES, mails=True, remind=3600.0)
    await go_offline(store, READER, rules=rules)
    (raised,) = await alerts(store, 30, rules)
    await store.skip_mail(raised.id)
    assert await when(store, at(99)).due_mails(10) == []
    await come_online(store, READER, seconds=60)
    assert await when(store, at(99999)).due_mails(10) == []


async def test_mail_that_no_recipient_has_stays_due(store: IStore) -> None:
    """An alert keeps why its mail did not arrive, until it is mailed without an error."""
    rules = evolve(RULES, mails=True)
    await go_offline(store, READER, rules=rules)
    (raised,) = await alerts(store, 30, rules)
    await store.save_mail_error(raised.id, "refused")
    assert await when(store, at(100)).due_mails(10) == [evolve(raised, mail_error="refused")]
    await when(store, at(100)).save_mailed(raised, None, rules)
    assert await when(store, at(99999)).due_mails(10) == []
    assert await store.alerts(OPEN_ALERTS, None, 10) == [evolve(raised, mailed_at=wall(100))]


async def test_without_mails_none_is_ever_due(store: IStore) -> None:
    """Alerts that were raised while no mails were configured are never mailed."""
    await go_offline(store, READER)
    await alerts(store, 30)
    assert await when(store, at(99999)).due_mails(10) == []
