"""One run: start, let everybody loose, kill, let it settle, and read the books."""

from collections.abc import Mapping
from random import Random
from typing import Any

from attrs import define, evolve, field, frozen
from hyperlink import DecodedURL
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool

from pushd.demo.layout import HOST
from pushd.simulator.faults import seeded_random
from pushd.simulator.journal import Journal
from tests.crash.api import Api, Json
from tests.crash.books import Books
from tests.crash.evidence import Evidence, read_journal
from tests.crash.fleet import Workshop
from tests.crash.killer import Killer
from tests.crash.lines import lines
from tests.crash.operator import Operator
from tests.crash.orders import OrderBook
from tests.crash.server import Fallen, Server
from tests.crash.setting import Setting

DEVICES_PER_SENDER = 4
FEWEST_SENDERS = 4
FEWEST_ORDERS = 80
"""So many at least are accepted, however slow the machine and however short the run: else nothing would be proved."""

_QUIET = 2.0
"""Seconds in which nothing is open and nobody did anything: then it is over."""

_STUCK = 20.0
"""Seconds without any progress, more than any lease or work lasts: what is open then will stay so."""

_OVERTIME = 60.0
"""Seconds beyond what a run was given, after which it is settled however it stands."""

_LOOK_AGAIN = 0.25
_OPEN = ("queued", "sent", "acknowledged")


Counts = Mapping[str, Mapping[Any, int]]
"""How often what happened, by what it is about."""


@frozen(kw_only=True)
class Record:
    """What a run leaves behind: the evidence, and what happened by the way."""

    evidence: Evidence
    happened: Counts
    seconds: float


@define(eq=False)
class Campaign:
    """Everything that takes part in one run."""

    setting: Setting
    reactor: Any
    _server: Server = field(init=False)
    _killer: Killer = field(init=False)
    _workshop: Workshop = field(init=False)
    _began: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.reactor.seconds()
        self._server = Server(self.setting, self.reactor)
        self._killer = Killer(self._server, self.reactor, self._chance("killer"))
        self._workshop = Workshop(self.setting, self.reactor, self._killer.saw)

    async def run(self) -> Record:
        """All of it; if the server falls by itself, that is the evidence, beside the journals."""
        try:
            evidence = await self._take_place()
        except Fallen as fall:
            evidence = evolve(self._journals(), accidents=[str(fall)], are_books_read=False)
        finally:
            self._server.kill()
        return Record(
            evidence=evidence,
            happened={
                "kill": self._killer.struck,
                "server": {
                    "could not write for some seconds": self._killer.obstructions,
                    "milliseconds until it was ready": round(1000 * self._server.startup),
                },
                "fault": self._workshop.struck,
            },
            seconds=self.reactor.seconds() - self._began,
        )

    async def _take_place(self) -> Evidence:
        self._server.start()
        await self._server.up()
        api, fleet = self._api(), self._workshop.fleet()
        fleet.startService()
        try:
            followed = await self._storm(api)
            await self._settle(api)
        finally:
            await fleet.stopService()
        return await self._read(Books(self.setting, self.reactor, api), followed)

    async def _storm(self, api: Api) -> list[Json]:
        """Kill the server under the operator's hands; what the operator read of the feed meanwhile."""
        operator = await self._operator(api)
        operator.begin(max(FEWEST_SENDERS, self.setting.devices // DEVICES_PER_SENDER))
        now = self.reactor.seconds()
        try:
            await self._killer.rage(self.setting.kills, now + self.setting.storm(now - self._began))
            await operator.rest()
        except Fallen:
            operator.give_up()
            raise
        return operator.followed

    async def _operator(self, api: Api) -> Operator:
        """The operator, once every device is known."""
        while len(devices := await api.all("devices")) < self.setting.devices:
            await deferLater(self.reactor, _LOOK_AGAIN)
        journal = Journal(clock=self.reactor, path=self.setting.operators_journal)
        journal.open()
        book = OrderBook([device["id"] for device in devices], self._chance("orders"), self.reactor.seconds)
        return Operator(
            api=api,
            journal=journal,
            book=book,
            chance=self._chance("operator"),
            saw=self._killer.saw,
            fewest=FEWEST_ORDERS,
        )

    async def _settle(self, api: Api) -> None:
        """Let devices behave, and return when nothing happens any more."""
        self._workshop.calm()
        since, before = self.reactor.seconds(), None
        until = self._began + self.setting.seconds + _OVERTIME
        while self.reactor.seconds() < until:
            standing = [await api.all("commands", state=state) for state in _OPEN]
            now = standing, self.setting.devices_journal.stat().st_size
            if now != before:
                since, before = self.reactor.seconds(), now
            if self.reactor.seconds() - since > (_STUCK if any(standing) else _QUIET):
                return
            await deferLater(self.reactor, _LOOK_AGAIN)

    async def _read(self, books: Books, followed: list[Json]) -> Evidence:
        commands, feed, flaws = await books.commands(), await books.feed(), await books.live_flaws()
        await self._server.stop()
        return evolve(
            self._journals(),
            commands=commands,
            feed=feed,
            followed=followed,
            flaws=flaws + await books.offline_flaws(),
            accidents=list(books.accidents()),
        )

    def _journals(self) -> Evidence:
        return Evidence(
            operator=read_journal(self.setting.operators_journal), devices=read_journal(self.setting.devices_journal)
        )

    def _api(self) -> Api:
        return Api(
            treq=lines(self.reactor, HTTPConnectionPool(self.reactor)),
            clock=self.reactor,
            root=DecodedURL.from_text(f"http://{HOST}:{self.setting.admin_port}"),
            token=self._server.token(),
            check=self._server.check,
        )

    def _chance(self, what: str) -> Random:
        return seeded_random(self.setting.seed, what)
