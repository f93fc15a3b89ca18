"""
The same story by a clock: which alerts there are, to the second, and that each is brought and mailed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.alerts.mail import Envelope
from pushd.alerts.postman import Postman
from pushd.alerts.smtp import NotTaken, Taken
from pushd.core.admission import Visitor
from pushd.core.rooms import Core
from pushd.core.watchdog import PIECE
from pushd.model.alert import Alert
from pushd.model.device import Admission
from pushd.model.moments import milliseconds
from pushd.service import FLUSH_SECONDS
from pushd.store.sqlite import SqliteStore
from tests.alerts.receiver import Message, Post, Receiver
from tests.house import START, BuildHouse, House, build_house, now
from tests.vigil.setting import TOGETHER
from tests.vigil.town import Absence, Town

__all__ = ["build_house"]

DEVICES, SITE = 2000, 40
TIMEOUT, SHORT, WINDOW = 120, 30, 30
CHANGES, WITHIN = 5, 300
KILLED, STARTED, BACK = 172, 180, 400
TURNS = DEVICES // PIECE + 1
"""Turns of the reactor in which the watchdog has looked at everybody."""

FLAPS = range(20, 380, 60)
"""When those that flap go; they are back 40 s later."""

OPTIONS: dict[str, Any] = {
    "alert_window": float(WINDOW),
    "flapping": (CHANGES, float(WITHIN)),
    "mail_to": ("ops@example.org",),
}

Told = tuple[str, str | None, int, int, tuple[str, ...]]
"""An alert: its kind, its address, when it was raised and cleared, in seconds, and its devices."""


class MailCarrier:
    """
    A mail server that fails half of the time.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.mails: list[str] = []

    async def send(self, envelope: Envelope, mail: bytes) -> Taken:
        """
        See :meth:`pushd.alerts.smtp.Carrier.send`.
        """
        if self.chance.random() < 0.5:
            raise NotTaken("it is busy")
        self.mails.append(mail.decode())
        return Taken(refused={}, deferred={})

    @property
    def alerts(self) -> list[int]:
        """
        The alerts that the mails are about.
        """
        return [int(mail.partition("Message-ID: <alert-")[2].partition(".")[0]) for mail in self.mails]


@define(eq=False, repr=False)
class Watch:
    """
    A server over a file, started again when it is killed, with whom it tells; a town that polls there.
    """

    clock: Clock
    build: Callable[[], House]
    addresses: dict[str, str]
    receiver: Receiver = field(factory=Receiver)
    carrier: MailCarrier = field(factory=lambda: MailCarrier(Random(2)))
    town: Town = field(init=False)
    post: Post = field(init=False)
    postman: Postman = field(init=False)
    second: int = field(default=0, init=False)
    failing: bool = field(default=False, init=False)
    """Whether the receiver failed the last time."""

    def __attrs_post_init__(self) -> None:
        self.receiver.answer = self._answer
        self.start()
        self.town = Town(self.addresses, self.core, again=40)

    @property
    def core(self) -> Core:
        """
        The core that runs now.
        """
        return self.post.house.core

    def start(self) -> None:
        """
        Start the server, and whoever tells.
        """
        ahead = START - self.clock.seconds() + self.second
        house = self.build()
        house.core.clocks.wall = lambda: ahead + self.clock.seconds()  # which goes on over a restart
        self.post = Post(house, self.receiver)
        core, envelope = house.core, Envelope(sender="pushd@example.org", recipients=OPTIONS["mail_to"])
        rules = house.config.alert_rules
        self.postman = Postman(core.store, core.clocks, rules, envelope, core.fleet.seen, self.carrier, lambda: 0.0)
        self.postman.startService()

    def subscribe(self) -> str:
        """
        Have the receiver told of alerts; its secret. A second passes.
        """
        self.second += 1
        secret: str = self.post.subscribe(types=["alert.raised", "alert.cleared"])["secret"]
        return secret

    def kill(self) -> None:
        """
        Let the server be gone without any notice.
        """
        for courier in self.post.couriers._couriers.values():
            courier.drop()
        self.post.couriers._couriers.clear()
        self.postman.stopService()
        now(self.core.store.close())

    def restart(self, seconds: int) -> None:
        """
        The server is killed, and started again later.
        """
        self.kill()
        self.clock.advance(seconds)
        self.second += seconds
        self.start()
        self.town.move(self.core)

    def tick(self) -> None:
        """
        Let a second pass; the receiver works again, and says so, if it failed.
        """
        self.clock.advance(1)
        self.second += 1
        rounds = [self.core.sweep(), self.core.watch()]
        if self.second % FLUSH_SECONDS == 0:
            rounds.append(self.core.presence.flush())
        for round_ in rounds:
            done = Deferred.fromCoroutine(round_)
            self.clock.pump([0] * TURNS)
            now(done)
        for webhook in tuple(self.post.couriers._couriers) if self.failing else ():
            now(self.core.webhooks.redeliver(webhook, None))
        self.post.turn()
        self.town.turn(self.second)

    def told(self) -> list[Told]:
        """
        All alerts, in no order.
        """
        return [_told(alert) for alert in now(self.core.alerts.listed(None, None, DEVICES))]

    def _answer(self, message: Message) -> int:
        self.failing = self.carrier.chance.random() < 0.5
        return 500 if self.failing else 204


def _told(alert: Alert) -> Told:
    assert alert.cleared_at is not None
    raised_at, cleared_at = (_second(at) for at in (alert.raised_at, alert.cleared_at))
    return (str(alert.kind), alert.address, raised_at, cleared_at, alert.devices)


def _second(wall: int) -> int:
    second, rest = divmod(wall - milliseconds(START), 1000)
    assert rest == 0
    return second


def expected(silences: Iterable[Absence], addresses: dict[str, str]) -> Iterator[Told]:
    """
    What must be told of devices that are silent for longer than their time and a window.
    """
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
            yield "silence", address if is_site else None, _due(first), max(one.back for one in told), devices
            waiting = [one for one in waiting if one not in told]


def _offline(silence: Absence) -> int:
    """
    When a device is offline; one that was not yet when the server was killed has its whole time again.
    """
    usual = silence.gone + TIMEOUT
    return usual if usual < KILLED else STARTED + TIMEOUT


def _due(silence: Absence) -> int:
    """
    When its silence is told; one that waited when the server was killed waits anew.
    """
    usual = _offline(silence) + WINDOW
    return STARTED + WINDOW if _offline(silence) < KILLED < usual else usual


@pytest.fixture
def watch(build_house: BuildHouse, clock: Clock, tmp_path: Path) -> Iterator[Watch]:
    """
    A server, and a town of which it knows.
    """
    names = [f"controlid:{number}" for number in range(1, DEVICES // 2 + 1)]
    names += [f"servereye:c{number:04}" for number in range(1, DEVICES // 2 + 1)]
    addresses = {name: f"198.51.100.{place // SITE + 1}" for place, name in enumerate(names)}
    watch = Watch(clock, lambda: build_house(SqliteStore(str(tmp_path / "pushd.sqlite")), **OPTIONS), addresses)
    yield watch
    watch.kill()


def test_silence_is_noticed_to_the_second(watch: Watch) -> None:
    """
    Of 2,000 devices 300 fall silent at random, a site of 40, some flap, sign off or are muted, and the server is
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
    """
    So many each, and then all the others.
    """
    start = 0
    for count in counts:
        yield names[start : start + count]
        start += count
    yield names[start:]


def _away(names: Iterable[str], gone: int) -> list[Absence]:
    return [Absence(device=name, gone=gone, back=BACK + place % 5) for place, name in enumerate(names)]


def _register(watch: Watch, flapping: Iterable[str], muted: Iterable[str]) -> None:
    fleet, until = watch.core.fleet, milliseconds(START + 86_400)
    for name in watch.addresses:
        timeout = SHORT if name in flapping else TIMEOUT
        muted_until = until if name in muted else None
        fields = {"heartbeat_timeout": float(timeout), "muted_until": muted_until}
        now(fleet.register(fleet.drafted(name, Admission.APPROVED, **fields)))


def _play(watch: Watch, absences: Iterable[Absence], leaving: list[str]) -> None:
    """
    Let it happen, second by second, until the last alert must be over.
    """
    going, coming = defaultdict(list), defaultdict(list)
    for absence in absences:
        going[absence.gone].append(absence.device)
        coming[absence.back].append(absence.device)
    while watch.second < BACK + WITHIN:
        if watch.second == 15:
            watch.town.go(leaving)
            for name in leaving:
                now(watch.core.reception.sign_off(Visitor(device=name, address=watch.addresses[name])))
        watch.town.go(going[watch.second])
        watch.town.come(coming[watch.second])
        if watch.second == KILLED:
            watch.restart(STARTED - KILLED)
        else:
            watch.tick()


def _all_arrived(watch: Watch, secret: str) -> None:
    """
    Each alert was brought when it was raised and when it was cleared, in order, and mailed once.
    """
    ids = sorted(alert.id for alert in now(watch.core.alerts.listed(None, None, DEVICES)))
    firsts = {message.id: message for message in watch.receiver.messages}
    assert [int(seq.removeprefix("evt_")) for seq in firsts] == sorted(int(seq.removeprefix("evt_")) for seq in firsts)
    for kind in ("alert.raised", "alert.cleared"):
        assert sorted(int(one.event["data"]["alert"]) for one in firsts.values() if one.type == kind) == ids
    assert all(message.signed_by(secret) for message in firsts.values())
    assert len(watch.receiver.messages) > len(firsts)
    assert sorted(watch.carrier.alerts) == ids
