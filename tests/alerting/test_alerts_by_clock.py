"""Tests of all alerting with a test clock: which alerts are raised, to the second, and that each is delivered."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from twisted.internet.task import Clock

from pushd.model.device import Admission
from pushd.model.timestamps import milliseconds
from pushd.notifications.mail.recipients import Recipient
from tests.alerting.clocked_server import AlertRow, ClockedServer
from tests.alerting.config import SITE_MIN
from tests.alerting.polling_fleet import OfflinePeriod
from tests.core.harness import StubClient
from tests.harness.alert_mails import alert_id
from tests.in_memory_server import START, BuildServer, build_server
from tests.results import result_of
from tests.store.clock import new_store
from tests.store.samples import ALL_ALERTS

__all__ = ["build_server"]

DEVICES, SITE = 2000, 40
TIMEOUT, FLAPPING_TIMEOUT, WINDOW = 120, 30, 30
CHANGES, WITHIN = 5, 300
KILLED, STARTED, BACK = 172, 180, 400
FLAP_STARTS = range(20, 380, 60)
"""When the flapping devices go offline; each time for 40 s."""

OPTIONS: dict[str, Any] = {
    "alert_window": float(WINDOW),
    "flapping": (CHANGES, float(WITHIN)),
    "mail_to": (Recipient(address="ops@example.org"),),
}


def expected_alerts(periods: Iterable[OfflinePeriod], addresses: dict[str, str]) -> Iterator[AlertRow]:
    """The alerts about devices that are offline for longer than their timeout and the alert window."""
    by_address: defaultdict[str, list[OfflinePeriod]] = defaultdict(list)
    for period in periods:
        by_address[addresses[period.device]].append(period)
    for address, pending in by_address.items():
        while pending:
            first = min(pending, key=_alerted_at)
            together = [period for period in pending if _offline_at(period) < _alerted_at(first)]
            is_site = len(together) >= SITE_MIN
            alerted = together if is_site else [first]
            devices = tuple(sorted(period.device for period in alerted))
            kind, where = ("site_offline", address) if is_site else ("offline", None)
            yield kind, where, _alerted_at(first), max(period.end for period in alerted), devices
            pending = [period for period in pending if period not in alerted]


def _offline_at(period: OfflinePeriod) -> int:
    """When a device counts as offline; if it did not yet at the kill, its timeout begins again at the restart."""
    usual = period.start + TIMEOUT
    return usual if usual < KILLED else STARTED + TIMEOUT


def _alerted_at(period: OfflinePeriod) -> int:
    """When a device is alerted; if its alert window ran at the kill, the window begins again at the restart."""
    usual = _offline_at(period) + WINDOW
    return STARTED + WINDOW if _offline_at(period) < KILLED < usual else usual


@pytest.fixture
def server(build_server: BuildServer, clock: Clock, tmp_path: Path) -> Iterator[ClockedServer]:
    """A server, and the addresses of its devices."""
    names = [f"controlid:{number}" for number in range(1, DEVICES // 2 + 1)]
    names += [f"servereye:c{number:04}" for number in range(1, DEVICES // 2 + 1)]
    addresses = {name: f"198.51.100.{number // SITE + 1}" for number, name in enumerate(names)}
    database = str(tmp_path / "pushd.sqlite")
    server = ClockedServer(clock, lambda: build_server(new_store(database), **OPTIONS), addresses)
    yield server
    server.kill()


@pytest.mark.slow
def test_alerts_are_exact_to_the_second(server: ClockedServer) -> None:
    """Of 2,000 devices 300 go offline at random, a site of 40, some flap, sign off or are muted, and the server is
    killed meanwhile: exactly the documented alerts are raised, cleared, delivered and mailed.
    """
    names = list(server.addresses)
    site, others = names[:SITE], names[SITE:]
    Random(1).shuffle(others)
    first_wave, second_wave, third_wave, flapping, muted, rest = _split(others, 200, 50, 50, 10, 5)
    signing_off = [name for name in rest if name.startswith("servereye")][:5]
    offline = [*_offline(site, 10), *_offline(first_wave, 20), *_offline(second_wave, 45), *_offline(third_wave, 100)]
    flaps = [OfflinePeriod(device=name, start=start, end=start + 40) for name in flapping for start in FLAP_STARTS]
    _register(server, flapping, muted)
    server.fleet.connect(names)
    secret = server.subscribe()
    _run(server, [*offline, *_offline(muted, 12), *flaps], signing_off)
    last_change = FLAP_STARTS[-1] + 40 - (CHANGES - 1) // 2 * 60
    raised_at, cleared_at = FLAP_STARTS[2] + FLAPPING_TIMEOUT, last_change + WITHIN
    expected: set[AlertRow] = {("flapping", None, raised_at, cleared_at, (name,)) for name in flapping}
    expected |= set(expected_alerts(offline, server.addresses))
    alerts = server.alerts()
    assert sorted(alerts, key=str) == sorted(expected, key=str)
    assert len([alert for alert in alerts if alert[4] == tuple(sorted(site))]) == 1
    _check_notifications(server, secret)


def _split(names: list[str], *counts: int) -> Iterator[list[str]]:
    """Lists of these lengths, and one of the remaining names."""
    start = 0
    for count in counts:
        yield names[start : start + count]
        start += count
    yield names[start:]


def _offline(names: Iterable[str], start: int) -> list[OfflinePeriod]:
    return [OfflinePeriod(device=name, start=start, end=BACK + number % 5) for number, name in enumerate(names)]


def _register(server: ClockedServer, flapping: Iterable[str], muted: Iterable[str]) -> None:
    registry, until = server.core.registry, milliseconds(START + 86_400)
    for name in server.addresses:
        timeout = FLAPPING_TIMEOUT if name in flapping else TIMEOUT
        muted_until = until if name in muted else None
        fields = {"heartbeat_timeout": float(timeout), "muted_until": muted_until}
        result_of(registry.register(registry.new_device(name, Admission.APPROVED, **fields)))


def _run(server: ClockedServer, periods: Iterable[OfflinePeriod], signing_off: list[str]) -> None:
    """Run all offline periods, second by second, until the last alert must be cleared, and is mailed."""
    starts, ends = defaultdict(list), defaultdict(list)
    for period in periods:
        starts[period.start].append(period.device)
        ends[period.end].append(period.device)
    while server.second < BACK + WITHIN or server.has_due_mails:
        if server.second == 15:
            server.fleet.disconnect(signing_off)
            for name in signing_off:
                result_of(server.core.device_service.sign_off(StubClient(server.addresses[name]), name))
        server.fleet.disconnect(starts[server.second])
        server.fleet.connect(ends[server.second])
        if server.second == KILLED:
            server.restart(STARTED - KILLED)
        else:
            server.tick()


def _check_notifications(server: ClockedServer, secret: str) -> None:
    """Each alert was delivered when it was raised and when it was cleared, in order, and mailed for each once, or once
    in all if it was cleared before its mail could be sent.
    """
    ids = sorted(alert.public_id for alert in result_of(server.core.store.alerts(ALL_ALERTS, None, DEVICES)))
    messages = server.receiver.messages
    by_id = {message.id: message for message in messages}
    numbers = [int(message_id.rpartition("-")[2]) for message_id in by_id]
    assert numbers == sorted(numbers)
    for kind in ("alert.raised", "alert.cleared"):
        delivered = [message.event["data"]["alert"] for message in by_id.values() if message.type == kind]
        assert sorted(delivered) == ids
    assert all(message.signed_by(secret) for message in by_id.values())
    assert len(messages) > len(by_id)
    mailed = server.mail_transport.message_ids
    assert len(mailed) == len(set(mailed))
    assert {alert_id(each) for each in mailed} == set(ids)
    assert sorted(str(alert_id(each)) for each in mailed if ".cleared@" in each) == ids
