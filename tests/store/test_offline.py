"""Tests of how a silence becomes an alert, alone or with others, or does not."""

import pytest
from attrs import evolve

from pushd.model.alert import AlertKind, AlertRules
from pushd.model.device import Admission, PresenceState
from pushd.model.errors import UnknownAlert
from pushd.model.event import Event
from pushd.store.interface import IStore
from tests.store.conftest import StoreUnderTest
from tests.store.outages import RULES, SITE, add_site, alerts, come_online, go_offline
from tests.store.samples import OTHER_READER, READER, UNREGISTERED, at, device, wall
from tests.store.steps import event_types, get_device


async def test_a_silence_raises_one_alert_once_its_window_is_over(store: IStore, events: list[Event]) -> None:
    """A device that fell silent is offline at once, and somebody is told half a minute later, once."""
    await go_offline(store, READER)
    assert (await get_device(store, READER)).presence is PresenceState.OFFLINE
    assert await alerts(store, 29.9) == []
    (raised,) = await alerts(store, 30)
    assert (raised.kind, raised.devices, raised.raised_at) == (AlertKind.OFFLINE, (READER,), wall(30))
    assert await alerts(store, 3000) == [raised]
    assert event_types(events)[-2:] == ["device.offline", "alert.raised"]
    assert events[-1].data == {"alert": str(raised.id), "kind": "offline", "devices": [READER], "count": 1}


async def test_a_device_that_comes_back_clears_its_alert(store: IStore, events: list[Event]) -> None:
    """The next word of a device ends its alert, which then tells how long it lasted."""
    await go_offline(store, READER)
    (raised,) = await alerts(store, 30)
    await come_online(store, READER, seconds=100)
    assert await alerts(store, 200) == []
    assert await store.alerts(False, None, 10) == [evolve(raised, cleared_at=wall(100))]
    assert event_types(events)[-2:] == ["device.online", "alert.cleared"]
    assert events[-1].data["duration"] == 70.0
    assert events[-2].data == {"after": "offline"}


async def test_a_device_that_comes_back_in_time_raises_nothing(store: IStore, events: list[Event]) -> None:
    """Nobody is called for a device that was back before the window was over."""
    await go_offline(store, READER)
    await come_online(store, READER, seconds=29)
    assert await alerts(store, 100) == []
    assert "alert.raised" not in event_types(events)


async def test_a_device_that_signs_off_clears_its_alert(store: IStore) -> None:
    """Whoever says goodbye after all is not missed any more."""
    await go_offline(store, READER, OTHER_READER)
    assert len(await alerts(store, 30)) == 2
    await store.set_presence(READER, PresenceState.SIGNED_OFF, at(40))
    assert [each.devices for each in await alerts(store, 50)] == [(OTHER_READER,)]


async def test_only_devices_that_were_there_go_offline(store: IStore, events: list[Event]) -> None:
    """A device that never spoke, or signed off, or is not known, is not offline and raises nothing."""
    await store.set_presence(OTHER_READER, PresenceState.SIGNED_OFF, at())
    await store.mark_offline([READER, OTHER_READER, UNREGISTERED], RULES, at())
    assert await alerts(store, 100) == []
    assert event_types(events) == ["device.signed_off"]


@pytest.mark.parametrize("admission", [Admission.PENDING, Admission.BLOCKED])
async def test_only_approved_devices_raise_alerts(store: IStore, admission: Admission) -> None:
    """A device that nobody approved may be silent as it likes."""
    await store.change_device(READER, {"admission": admission}, at())
    await go_offline(store, READER)
    assert (await get_device(store, READER)).presence is PresenceState.OFFLINE
    assert await alerts(store, 100) == []


@pytest.mark.parametrize("told", [False, True])
async def test_blocking_or_deleting_a_device_ends_the_wait_for_it(store: IStore, told: bool) -> None:
    """Nobody waits for a device that was blocked or deleted: its alert is cleared, or not raised."""
    await go_offline(store, READER, OTHER_READER)
    assert len(await alerts(store, 30 if told else 10)) == (2 if told else 0)
    await store.change_device(READER, {"admission": Admission.BLOCKED}, at(31))
    await store.forget_device(OTHER_READER, at(31))
    assert await alerts(store, 100) == []


async def test_many_behind_one_address_are_one_alert(store: IStore, events: list[Event]) -> None:
    """A site that loses its line is one alert that lists all of its devices, and lasts until the last is back."""
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


async def test_few_behind_one_address_are_alerts_of_their_own(store: IStore) -> None:
    """Four devices behind one address are four alerts."""
    await add_site(store, SITE[:4])
    await go_offline(store, *SITE[:4])
    assert sorted(each.devices for each in await alerts(store, 30)) == [(name,) for name in SITE[:4]]


async def test_those_who_go_offline_later_do_not_join(store: IStore) -> None:
    """What falls silent after the window of an alert is another matter."""
    await add_site(store, SITE)
    await go_offline(store, *SITE[:4])
    await alerts(store, 30)
    await go_offline(store, SITE[4], seconds=31)
    assert len(await alerts(store, 61)) == 5


async def test_muted_devices_raise_nothing(store: IStore) -> None:
    """A muted device is offline when it is, and nobody is told; when it is no longer muted and still silent,
    they are.
    """
    await store.change_device(READER, {"muted_until": wall(300)}, at())
    await go_offline(store, READER)
    assert (await get_device(store, READER)).presence is PresenceState.OFFLINE
    for second in range(30, 300, 10):
        assert await alerts(store, second) == []
    assert [each.devices for each in await alerts(store, 301)] == [(READER,)]


async def test_muted_devices_are_not_counted_with_their_neighbours(store: IStore) -> None:
    """Four loud devices and a muted one behind one address are no crowd."""
    await add_site(store, SITE)
    await store.change_device(SITE[2], {"muted_until": wall(3000)}, at())
    await go_offline(store, *SITE)
    assert len(await alerts(store, 30)) == 4


async def test_a_mute_that_is_taken_back_counts_from_then_on(store: IStore) -> None:
    """A silence that lasts when the operator listens again waits out its window first."""
    await store.change_device(READER, {"muted_until": wall(3000)}, at())
    await go_offline(store, READER)
    assert await alerts(store, 100) == []
    await store.change_device(READER, {"muted_until": None}, at(110))
    assert await alerts(store, 139) == []
    assert len(await alerts(store, 140)) == 1


async def flap(store: IStore, times: int, start: float = 0, rules: AlertRules = RULES) -> float:
    """A device that falls silent so many times, 20 seconds apart, and is back in between; when it last fell silent."""
    for number in range(times):
        await go_offline(store, READER, seconds=start + 20 * number, rules=rules)
        await alerts(store, start + 20 * number + 1, rules)
    return start + 20 * (times - 1)


async def test_a_device_that_comes_and_goes_is_one_alert(store: IStore) -> None:
    """Five changes in ten minutes are one alert that says so, and no other as long as it is open."""
    await come_online(store, READER)
    assert await flap(store, 2) == 20
    assert await alerts(store, 25) == []
    last = await flap(store, 3, 40)
    (raised,) = await alerts(store, last + 1)
    assert (raised.kind, raised.devices) == (AlertKind.FLAPPING, (READER,))
    assert await alerts(store, last + 100) == [raised]


async def test_a_device_that_has_calmed_down_flaps_no_more(store: IStore, events: list[Event]) -> None:
    """A device that stayed for long enough clears the alert that called it restless."""
    await come_online(store, READER)
    last = await flap(store, 5)
    await come_online(store, READER, seconds=last + 5)
    assert len(await alerts(store, 300)) == 1
    assert await alerts(store, last + 5 + 600) == []
    assert event_types(events).count("alert.raised") == event_types(events).count("alert.cleared") == 1


async def test_a_device_that_flapped_and_is_gone_raises_an_alert_for_that(store: IStore) -> None:
    """When a restless device stays away for good, its silence is told once it no longer counts as restless."""
    await come_online(store, READER)
    last = await flap(store, 5)
    seen: set[tuple[AlertKind, tuple[str, ...]]] = set()
    for second in range(0, 720, 10):
        seen.update((each.kind, each.devices) for each in await alerts(store, last + second))
    (raised,) = await alerts(store, last + 720)
    assert (raised.kind, raised.devices) == (AlertKind.OFFLINE, (READER,))
    assert seen == {(AlertKind.FLAPPING, (READER,)), (AlertKind.OFFLINE, (READER,))}


async def test_signing_off_and_on_is_not_flapping(store: IStore) -> None:
    """A container that is restarted again and again says goodbye each time, and is not called restless."""
    for number in range(10):
        await come_online(store, READER, seconds=10 * number)
        await store.set_presence(READER, PresenceState.SIGNED_OFF, at(10 * number + 5))
    await go_offline(store, READER, seconds=101)
    assert await alerts(store, 102) == []


async def test_an_alert_is_acknowledged_once(store: IStore, events: list[Event]) -> None:
    """Whoever takes care of an alert first is remembered, and told to all."""
    await go_offline(store, READER)
    (raised,) = await alerts(store, 30)
    taken = await store.acknowledge_alert(raised.id, "night shift", at(60))
    assert taken == evolve(raised, acknowledged_at=wall(60), acknowledged_by="night shift")
    assert await store.acknowledge_alert(raised.id, "day shift", at(70)) == taken
    assert event_types(events).count("alert.acknowledged") == 1


async def test_an_unknown_alert_cannot_be_acknowledged(store: IStore) -> None:
    """What was never raised cannot be taken care of."""
    with pytest.raises(UnknownAlert):
        await store.acknowledge_alert(77, "night shift", at())


async def test_alerts_are_listed_newest_first_in_pages(store: IStore) -> None:
    """A long night is read page by page."""
    await add_site(store, SITE, address="")
    for second, name in enumerate(SITE):
        await go_offline(store, name, seconds=second, rules=evolve(RULES, together=99))
    await alerts(store, 100, evolve(RULES, together=99))
    pages = []
    before = None
    while page := await store.alerts(None, before, 2):
        pages.append([each.devices[0] for each in page])
        before = page[-1].id
    assert pages == [[SITE[4], SITE[3]], [SITE[2], SITE[1]], [SITE[0]]]


async def test_a_limit_bounds_what_is_told_at_once(store: IStore) -> None:
    """A thousand silences are told a few at a time, so that nobody waits for it."""
    await add_site(store, SITE, address="")
    await go_offline(store, *SITE, rules=evolve(RULES, together=99))
    rules = evolve(RULES, together=99)
    assert [await store.raise_alerts(rules, 2, at(30)) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.parametrize("kind", ["file", "threads"])
async def test_a_silence_survives_a_restart_and_waits_anew(under_test: StoreUnderTest) -> None:
    """A server that dies between a silence and its alert still tells it, once the device had the time to return."""
    under_test.open(at())
    await under_test.store.add_device(device(READER), False, at())
    await go_offline(under_test.store, READER)
    await under_test.restart(at(100))
    assert await alerts(under_test.store, 101) == []
    assert [each.devices for each in await alerts(under_test.store, 130)] == [(READER,)]


async def test_mails_are_due_once_and_again_until_somebody_cares(store: IStore) -> None:
    """An alert is mailed at once, and again each hour, until it is acknowledged."""
    rules = evolve(RULES, mails=True, remind=3600.0)
    await go_offline(store, READER, rules=rules)
    (raised,) = await alerts(store, 30, rules)
    assert await store.due_mails(10, at(30)) == [raised]
    await store.save_mailed(raised.id, rules, at(31))
    assert await store.due_mails(10, at(3000)) == []
    assert await store.due_mails(10, at(3631)) == [evolve(raised, mailed_at=wall(31))]
    await store.save_mailed(raised.id, rules, at(3632))
    await store.acknowledge_alert(raised.id, "night shift", at(3640))
    assert await store.due_mails(10, at(99999)) == []


async def test_an_alert_that_was_cleared_before_its_mail_is_mailed_all_the_same(store: IStore) -> None:
    """While the mail server was away an alert came and went: somebody is told once."""
    rules = evolve(RULES, mails=True, remind=3600.0)
    await go_offline(store, READER, rules=rules)
    (raised,) = await alerts(store, 30, rules)
    await come_online(store, READER, seconds=60)
    (late,) = await store.due_mails(10, at(100))
    assert late.cleared_at == wall(60)
    await store.save_mailed(raised.id, rules, at(100))
    assert await store.due_mails(10, at(99999)) == []


async def test_without_mails_none_is_ever_due(store: IStore) -> None:
    """Whoever asks for mails tomorrow is not mailed of last year."""
    await go_offline(store, READER)
    await alerts(store, 30)
    assert await store.due_mails(10, at(99999)) == []
