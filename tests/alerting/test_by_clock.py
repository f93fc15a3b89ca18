"""The same story by a clock: which alerts there are, to the second, and that each is brought and mailed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from twisted.internet.task import Clock

from pushd.core.devices.admission import ClientIdentity
from pushd.model.device import Admission
from pushd.model.timestamps import milliseconds
from pushd.store.sqlite.store import SqliteStore
from tests.alerting.setting import TOGETHER
from tests.alerting.town import Absence
from tests.alerting.watch import Told, Watch
from tests.in_memory_server import START, BuildHouse, build_house, now

__all__ = ["build_house"]

DEVICES, SITE = 2000, 40
TIMEOUT, SHORT, WINDOW = 120, 30, 30
CHANGES, WITHIN = 5, 300
KILLED, STARTED, BACK = 172, 180, 400
FLAPS = range(20, 380, 60)
"""When those that flap go; they are back 40 s later."""

OPTIONS: dict[str, Any] = {
    "alert_window": float(WINDOW),
    "flapping": (CHANGES, float(WITHIN)),
    "mail_to": ("ops@example.org",),
}


def expected(silences: Iterable[Absence], addresses: dict[str, str]) -> Iterator[Told]:
    """What must be told of devices that are silent for longer than their time and a window."""
    behind: defaultdict[str, list[Absence]] = defaultdict(list)
    for silence in silences:
        behind[addresses[silence.device]].append(silence)
    for address, waiting in behind.items():
        while waiting:
            first = min(waiting, key=_due)
            together = [one for one in waiting if _offline(one) < _due(first)]
            is_site = len(together) >= TOGETHER
            told = together if is_site else [first]
            devices = tuple(sorted(one.device for one in told))
            kind, where = ("site_offline", address) if is_site else ("offline", None)
            yield kind, where, _due(first), max(one.back for one in told), devices
            waiting = [one for one in waiting if one not in told]


def _offline(silence: Absence) -> int:
    """When a device is offline; one that was not yet when the server was killed has its whole time again."""
    usual = silence.gone + TIMEOUT
    return usual if usual < KILLED else STARTED + TIMEOUT


def _due(silence: Absence) -> int:
    """When its silence is told; one that waited when the server was killed waits anew."""
    usual = _offline(silence) + WINDOW
    return STARTED + WINDOW if _offline(silence) < KILLED < usual else usual


@pytest.fixture
def watch(build_house: BuildHouse, clock: Clock, tmp_path: Path) -> Iterator[Watch]:
    """A server, and a town of which it knows."""
    names = [f"controlid:{number}" for number in range(1, DEVICES // 2 + 1)]
    names += [f"servereye:c{number:04}" for number in range(1, DEVICES // 2 + 1)]
    addresses = {name: f"198.51.100.{place // SITE + 1}" for place, name in enumerate(names)}
    watch = Watch(clock, lambda: build_house(SqliteStore(str(tmp_path / "pushd.sqlite")), **OPTIONS), addresses)
    yield watch
    watch.kill()


def test_silence_is_noticed_to_the_second(watch: Watch) -> None:
    """Of 2,000 devices 300 fall silent at random, a site of 40, some flap, sign off or are muted, and the server is
    killed meanwhile: exactly the alerts that the pages promise are raised, cleared, brought and mailed.
    """
    names = list(watch.addresses)
    site, others = names[:SITE], names[SITE:]
    Random(1).shuffle(others)
    most, some, rest, flapping, muted, leaving = _deal(others, 200, 50, 50, 10, 5)
    leaving = [name for name in leaving if name.startswith("servereye")][:5]
    lost = [*_away(site, 10), *_away(most, 20), *_away(some, 45), *_away(rest, 100)]
    flaps = [Absence(device=name, gone=gone, back=gone + 40) for name in flapping for gone in FLAPS]
    _register(watch, flapping, muted)
    watch.town.come(names)
    secret = watch.subscribe()
    _play(watch, [*lost, *_away(muted, 12), *flaps], leaving)
    last_change = FLAPS[-1] + 40 - (CHANGES - 1) // 2 * 60
    alerts: set[Told] = {("flapping", None, FLAPS[2] + SHORT, last_change + WITHIN, (name,)) for name in flapping}
    alerts |= set(expected(lost, watch.addresses))
    told = watch.told()
    assert sorted(told, key=str) == sorted(alerts, key=str)
    assert len([alert for alert in told if alert[4] == tuple(sorted(site))]) == 1
    _all_arrived(watch, secret)


def _deal(names: list[str], *counts: int) -> Iterator[list[str]]:
    """So many each, and then all the others."""
    start = 0
    for count in counts:
        yield names[start : start + count]
        start += count
    yield names[start:]


def _away(names: Iterable[str], gone: int) -> list[Absence]:
    return [Absence(device=name, gone=gone, back=BACK + place % 5) for place, name in enumerate(names)]


def _register(watch: Watch, flapping: Iterable[str], muted: Iterable[str]) -> None:
    registry, until = watch.core.registry, milliseconds(START + 86_400)
    for name in watch.addresses:
        timeout = SHORT if name in flapping else TIMEOUT
        muted_until = until if name in muted else None
        fields = {"heartbeat_timeout": float(timeout), "muted_until": muted_until}
        now(registry.register(registry.new_device(name, Admission.APPROVED, **fields)))


def _play(watch: Watch, absences: Iterable[Absence], leaving: list[str]) -> None:
    """Let it happen, second by second, until the last alert must be over."""
    going, coming = defaultdict(list), defaultdict(list)
    for absence in absences:
        going[absence.gone].append(absence.device)
        coming[absence.back].append(absence.device)
    while watch.second < BACK + WITHIN:
        if watch.second == 15:
            watch.town.go(leaving)
            for name in leaving:
                now(watch.core.device_service.sign_off(ClientIdentity(device=name, address=watch.addresses[name])))
        watch.town.go(going[watch.second])
        watch.town.come(coming[watch.second])
        if watch.second == KILLED:
            watch.restart(STARTED - KILLED)
        else:
            watch.tick()


def _all_arrived(watch: Watch, secret: str) -> None:
    """Each alert was brought when it was raised and when it was cleared, in order, and mailed once."""
    ids = sorted(alert.id for alert in now(watch.core.alerts.list_alerts(limit=DEVICES)))
    firsts = {message.id: message for message in watch.receiver.messages}
    assert [int(seq.removeprefix("evt_")) for seq in firsts] == sorted(int(seq.removeprefix("evt_")) for seq in firsts)
    for kind in ("alert.raised", "alert.cleared"):
        assert sorted(int(one.event["data"]["alert"]) for one in firsts.values() if one.type == kind) == ids
    assert all(message.signed_by(secret) for message in firsts.values())
    assert len(watch.receiver.messages) > len(firsts)
    assert sorted(watch.carrier.alerts) == ids
