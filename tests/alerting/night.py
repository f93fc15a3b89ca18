"""One run: register a fleet, let some of it fall silent, kill the server meanwhile, and watch until all is over."""

from collections.abc import Coroutine
from typing import Any

from attrs import define, evolve, field
from hyperlink import DecodedURL
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool
from twisted.web.server import Site

from pushd.demo.layout import HOST
from pushd.model.timestamps import milliseconds, to_rfc3339
from pushd.simulator.faults import seeded_random
from tests.alerting.evidence import Evidence, StoreOutage
from tests.alerting.receiver import Receiver
from tests.alerting.setting import Setting
from tests.crash.api import Api, Json
from tests.crash.books import Books
from tests.crash.evidence import read_journal
from tests.crash.lines import lines
from tests.crash.server import Fallen, Process, Server, spawn
from tests.notifications.mail_server import MailServer

ALERTS = ("alert.raised", "alert.cleared")
"""What the receiver is to be told of."""

CLERKS = 20
"""How many devices are registered at the same time."""

MUTED_FOR = 86_400.0
OVERTIME = 90.0
"""Seconds after everybody came back, in which all should be over."""

NUDGE = 0.05
"""Seconds after a failure, in which the receiver works again and says so: five, as pushd waits, would be long."""

FOLLOW = 1.0
LOOK_AGAIN = 0.1


@define(eq=False)
class Night:
    """Everything that takes part in one run."""

    setting: Setting
    reactor: Any
    plan: list[Json] = field(init=False)
    seconds: float = field(default=0.0, init=False)
    _server: Server = field(init=False)
    _receiver: Receiver = field(init=False)
    _post: MailServer = field(init=False)
    _api: Api = field(init=False)
    _webhook: str = field(default="", init=False)
    _nudge: Any = field(default=None, init=False)
    _followed: list[Json] = field(factory=list, init=False)
    _outage: StoreOutage | None = field(default=None, init=False)
    _began: float = field(default=0.0, init=False)
    """When the simulator was started."""

    def __attrs_post_init__(self) -> None:
        self.plan = self.setting.plan()
        self._server = Server(self.setting, self.reactor)
        chance = seeded_random(self.setting.seed, "receiver")
        self._receiver = Receiver(clock=self.reactor, chance=chance, failed=self._failed)
        self._post = MailServer(port=self.setting.smtp_port)

    async def run(self) -> Evidence:
        """All of it; if the server falls by itself, that is the evidence, beside the journal."""
        began = self.reactor.seconds()
        listening = self.reactor.listenTCP(0, Site(self._receiver), interface=HOST)
        try:
            with self._post.running():
                evidence = await self._take_place(listening.getHost().port)
        except Fallen as fall:
            evidence = evolve(self._evidence(), accidents=[str(fall)], are_books_read=False)
        finally:
            self._server.kill()
            await listening.stopListening()
        self.seconds = self.reactor.seconds() - began
        return evidence

    async def _take_place(self, port: int) -> Evidence:
        self._server.start()
        await self._server.up()
        self._api = api = self._call()
        await self._register(api)
        await self._subscribe(api, port)
        following = self._begin(self._follow(api))
        fleet = spawn(self.reactor, self.setting.fleet(), self.setting.fleet_log)
        try:
            self._began = self.reactor.seconds()
            await self._kill(fleet)
            await self._is_over(api, fleet)
            following.cancel()
            return await self._read(Books(self.setting, self.reactor, api))
        finally:
            following.cancel()
            fleet.signal("KILL")
            await fleet.ended
            self._rest()

    async def _register(self, api: Api) -> None:
        muted_until = to_rfc3339(milliseconds(self.reactor.seconds() + MUTED_FOR))
        waiting = iter(self.plan)

        async def work() -> None:
            for device in waiting:
                body: Json = {"id": device["device"], "heartbeat_timeout": self.setting.timeout(device["role"])}
                if device["role"] == "muted":
                    body["muted_until"] = muted_until
                status, answer = await api.post("devices", body=body)
                assert status in (201, 409), answer

        await gatherResults([Deferred.fromCoroutine(work()) for _ in range(CLERKS)], consumeErrors=True)

    async def _subscribe(self, api: Api, port: int) -> None:
        body = {"url": f"http://{HOST}:{port}/hook", "types": list(ALERTS)}
        status, answer = await api.post("webhooks", body=body)
        assert status == 201, answer
        self._webhook, self._receiver.secret = answer["id"], answer["secret"]

    async def _follow(self, api: Api) -> None:
        after = None
        while True:
            page, after = await api.feed(after, FOLLOW)
            self._followed += page

    async def _kill(self, fleet: Process) -> None:
        """Kill the server, and start it again, when silences wait and alerts are on their way to the receiver."""
        waited_for = {device["device"] for device in self.plan if self.setting.is_waited_for(device)}
        chance = seeded_random(self.setting.seed, "kill")
        while not (self._are_offline(waited_for) and self._on_the_way()) and self._clock() < self.setting.pace.back:
            await self._look(fleet)
        await deferLater(self.reactor, chance.random() * self.setting.pace.window / 4)
        killed_at = self.reactor.seconds()
        undelivered = len(self._on_the_way())
        await self._server.end()
        started_at = self.reactor.seconds()
        self._server.start()
        await self._server.up()
        self._outage = StoreOutage(
            killed_at=milliseconds(killed_at),
            started_at=milliseconds(started_at),
            ready_at=milliseconds(self.reactor.seconds()),
            undelivered=undelivered,
        )

    def _are_offline(self, devices: set[str]) -> bool:
        return devices <= {event["device"] for event in self._followed if event["type"] == "device.offline"}

    def _on_the_way(self) -> set[str]:
        """Events about alerts that the receiver has not thanked for."""
        return {event["seq"] for event in self._followed if event["type"] in ALERTS} - self._receiver.taken

    async def _is_over(self, api: Api, fleet: Process) -> None:
        """Return when everybody is back, and all was told; or when it should have been."""
        pace = self.setting.pace
        quiet = pace.back + pace.timeout
        while self._clock() < pace.back + OVERTIME:
            await self._look(fleet)
            if self._clock() > quiet and not self._on_the_way():
                alerts = await api.all("alerts")
                if all(alert["cleared_at"] and alert["mailed_at"] for alert in alerts) and not self._on_the_way():
                    return

    async def _look(self, fleet: Process) -> None:
        self._server.check()
        if fleet.ended.called:
            raise Fallen(f"The simulator ended by itself; see {self.setting.fleet_log}.")
        await deferLater(self.reactor, LOOK_AGAIN)

    async def _read(self, books: Books) -> Evidence:
        feed, alerts, flaws = await books.feed(), await books.api.all("alerts"), await books.live_flaws()
        await self._server.stop()
        return evolve(
            self._evidence(),
            feed=feed,
            alerts=alerts,
            flaws=flaws + await books.offline_flaws(),
            accidents=list(books.accidents()),
        )

    def _evidence(self) -> Evidence:
        return Evidence(
            plan=self.plan,
            journal=read_journal(self.setting.journal),
            followed=self._followed,
            deliveries=self._receiver.deliveries,
            mails=[received.mail for received in self._post.mails],
            outage=self._outage,
        )

    def _failed(self) -> None:
        if self._nudge is None:
            self._nudge = self.reactor.callLater(NUDGE, lambda: self._begin(self._works_again()))

    async def _works_again(self) -> None:
        try:
            await self._api.post("webhooks", self._webhook, "redeliver", body={})
        finally:
            self._nudge = None

    def _rest(self) -> None:
        if self._nudge is not None and self._nudge.active():
            self._nudge.cancel()

    def _begin(self, work: "Coroutine[Deferred[Any], Any, None]") -> "Deferred[None]":
        """Do something beside; that the server fell is noticed elsewhere."""
        return Deferred.fromCoroutine(work).addErrback(lambda failure: failure.trap(CancelledError, Fallen) and None)

    def _clock(self) -> float:
        moment: float = self.reactor.seconds() - self._began
        return moment

    def _call(self) -> Api:
        return Api(
            treq=lines(self.reactor, HTTPConnectionPool(self.reactor)),
            clock=self.reactor,
            root=DecodedURL.from_text(f"http://{HOST}:{self.setting.admin_port}"),
            token=self._server.token(),
            check=self._server.check,
        )
