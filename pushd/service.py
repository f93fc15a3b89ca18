"""
The assembly: builds each room once, starts them from the bottom up, and stops them from the top down.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define
from treq.client import HTTPClient
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.iweb import IAgent

from pushd.admin.alerts import AlertsApp
from pushd.admin.commands import CommandsApp
from pushd.admin.devices import DevicesApp
from pushd.admin.feed import FeedApp
from pushd.admin.health import HealthApp
from pushd.admin.port import AdminPort
from pushd.admin.sending import Sender
from pushd.admin.webhooks import WebhooksApp
from pushd.alerts.posting import Poster
from pushd.alerts.pulse import INTERVAL, Pulse, Stuck
from pushd.alerts.wants import Wants
from pushd.alerts.webhooks import GLANCE_SECONDS, Couriers, build_agent
from pushd.config import Config, ConfigError
from pushd.core.admission import Admissions
from pushd.core.alerts import Alerts
from pushd.core.clocks import Clocks
from pushd.core.drafts import Drafts
from pushd.core.feed import Feed
from pushd.core.fleet import Fleet
from pushd.core.holds import Holds
from pushd.core.inspection import Inspection
from pushd.core.outbox import Outbox
from pushd.core.presence import Presence
from pushd.core.queued import Queued
from pushd.core.reception import Reception
from pushd.core.reportable import Reportable
from pushd.core.review import Review
from pushd.core.rooms import Core
from pushd.core.secrets import make_secret
from pushd.core.targets import Targets
from pushd.core.tokens import Tokens
from pushd.core.wakeups import Wakeups
from pushd.core.watchdog import Watchdog
from pushd.core.webhooks import Webhooks
from pushd.datadir import DataDir
from pushd.dialects.controlid.app import door as controlid_door
from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.dialects.servereye.app import door as servereye_door
from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.listening import Listener, listener
from pushd.mailing import postmen
from pushd.model.errors import StoreRefused
from pushd.model.ids import IdSource
from pushd.model.token import Role
from pushd.process import end, raise_file_limit
from pushd.rounds import Round
from pushd.store.interface import IStore
from pushd.store.sqlite import SqliteStore
from pushd.web.answering import IApp
from pushd.web.bodies import Budget, InThread
from pushd.web.doors import DevicePort, Door
from pushd.web.site import HouseSite

DIALECTS = ((CONTROL_ID, controlid_door), (SERVER_EYE, servereye_door))
"""A dialect is a folder, and a line here."""

NAMES = tuple(dialect.name for dialect, _ in DIALECTS)

FLUSH_SECONDS = 3.0
"""How late the last sighting of a device may be in the store."""

PURGE_SECONDS = 60.0
"""How often we look for what was kept for long enough."""

STOP_SECONDS = 3.0
"""How long we wait for the store to finish when asked to stop."""

SENT_AGAIN = 0.02
"""Seconds between two looks at whether all answers have left."""

RESERVED_FILES = 64
"""File descriptors that are not polls: listeners, the database, the log."""


def build_core(store: IStore, clocks: Clocks, config: Config, rand: Callable[[], float] = random.random) -> Core:
    """
    Build the core's rooms, from the bottom up.
    """
    dialects = {dialect.name: dialect for dialect, _ in DIALECTS}
    ids = IdSource(clocks.wall_now)
    drafts = Drafts(ids, dialects)
    presence = Presence(store, clocks)
    fleet = Fleet(store, clocks, dialects, presence)
    tokens = Tokens(store, clocks, ids)
    wakeups = Wakeups(clocks.clock)
    holds = Holds(fleet, {name: dialect.hold for name, dialect in dialects.items()} | dict(config.holds), rand)
    outbox = Outbox(store, clocks, dialects, presence, holds, wakeups, Queued(), Reportable())
    admissions = Admissions(fleet, tokens, config.admission, config.max_pending, config.require_proof)
    return Core(
        store=store,
        clocks=clocks,
        fleet=fleet,
        tokens=tokens,
        presence=presence,
        watchdog=Watchdog(store, clocks, presence, config.alert_rules),
        wakeups=wakeups,
        drafts=drafts,
        outbox=outbox,
        review=Review(store, clocks, drafts, admissions, holds, wakeups),
        feed=Feed(store, clocks),
        alerts=Alerts(store, clocks, config.alert_rules),
        reception=Reception(admissions, presence, outbox, wakeups, clocks, holds, config.batch),
        webhooks=Webhooks(store, clocks, ids, Targets(tuple(config.webhook_allow)), config.alert_rules),
        keep=config.keep,
    )


def build_device_port(core: Core, config: Config, in_thread: InThread[Any]) -> DevicePort:
    """
    The device port.
    """
    doors: Sequence[Door] = [
        door(core.reception, in_thread, config.trusted_proxies, config.bases) for _, door in DIALECTS
    ]
    return DevicePort(doors, core.fleet.owner_of_path)


def build_admin_port(core: Core, in_thread: InThread[Any]) -> AdminPort:
    """
    The admin port.
    """
    sender = Sender(core.drafts, core.outbox, in_thread)
    apps: dict[str, IApp] = {
        "devices": DevicesApp(core.tokens, core.fleet, core.store, core.wakeups, sender),
        "commands": CommandsApp(core.tokens, core.outbox, core.review, core.store),
        "alerts": AlertsApp(core.tokens, core.alerts),
        "events": FeedApp(core.tokens, core.feed),
        "webhooks": WebhooksApp(core.tokens, core.webhooks, core.store),
    }
    return AdminPort(apps, HealthApp(core.tokens, Inspection(core.store, core.clocks, core.outbox)))


def build_couriers(core: Core, agent: IAgent, rand: Callable[[], float] = random.random) -> Couriers:
    """
    Who brings events to the receivers of webhooks.
    """
    return Couriers(core.webhooks, Wants(core.fleet, core.store), Poster(agent, core.clocks.clock), rand)


@define(eq=False)
class PushdService(MultiService):
    """
    All of it: started by twistd, stopped by a signal.
    """

    core: Core
    data_dir: DataDir
    sites: Sequence[HouseSite]
    reactor: Any
    _log = Logger()

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def privilegedStartService(self) -> None:
        """
        Listen; what cannot be ends the program with one line. Nobody is served before the reactor turns.

        :raises CannotStart: with that line.
        """
        try:
            super().privilegedStartService()
        except ConfigError as error:
            end(str(error))

    def startService(self) -> None:
        """
        Hold the data directory and the store, open it, then serve; what cannot be ends the program with one line.

        :raises CannotStart: with that line.
        """
        try:
            self.data_dir.hold()
            self.core.recall()
            super().startService()
            self._provide_token()
        except (StoreRefused, ConfigError) as error:
            end(str(error))
        self._log.info("Up to {polls} polls can be held at once", polls=raise_file_limit() - RESERVED_FILES)

    def stopService(self) -> Deferred[None]:
        """
        Answer every held poll, stop listening, finish what is on its way to the store and to clients.
        """
        for site in self.sites:
            site.closing = True
        self.core.drain()
        stopped = Deferred.fromCoroutine(self._stop(super().stopService()))
        return stopped.addTimeout(STOP_SECONDS, self.core.clocks.clock).addErrback(self._not_stopped)

    def _provide_token(self) -> None:
        """
        Unless the admin's token lies in the data directory: make one, which revokes the earlier one.

        Were we to end before the store has it, the next start would make another.
        """
        secret = self.data_dir.read_token()
        if secret is not None and self.core.tokens.find(secret) is not None:
            return
        secret = make_secret()
        path = self.data_dir.write_token(secret)
        kept = Deferred.fromCoroutine(self.core.tokens.set("admin", Role.ADMIN, secret))
        kept.addErrback(self._token_not_kept)
        self._log.info("The admin's token is in {path}", path=str(path))

    async def _stop(self, children: Deferred[None]) -> None:
        await children
        try:
            await self.core.presence.flush()
        finally:
            await self.core.store.close()
            self.data_dir.release()
        while self.reactor.getWriters():  # the reactor does not wait for what it has not sent yet
            await deferLater(self.reactor, SENT_AGAIN)

    def _token_not_kept(self, failure: Failure) -> None:
        self._log.error("The admin's token ends with this process: {error}", error=failure.getErrorMessage())

    def _not_stopped(self, failure: Failure) -> None:
        self._log.error("Not all was finished: {error}", error=failure.getErrorMessage())


def build_service(config: Config, reactor: Any, wall: Callable[[], float]) -> PushdService:
    """
    Build everything; open nothing, for twistd may still become a daemon.

    ``reactor`` counts monotonic seconds; ``wall`` gives seconds since the epoch.

    :raises ConfigError: if an endpoint cannot be understood.
    """
    data_dir = DataDir(config.data_dir, config.store)
    core = build_core(SqliteStore(data_dir.database, reactor), Clocks(reactor, wall), config)
    budget = Budget()

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    devices = HouseSite(build_device_port(core, config, in_thread), budget, reactor)
    operators = HouseSite(build_admin_port(core, in_thread), budget, reactor)
    service = PushdService(core, data_dir, (devices, operators), reactor)
    couriers = build_couriers(core, build_agent(reactor, core.webhooks.targets))
    rounds, posts = tuple(_rounds(core, couriers, reactor)), tuple(postmen(core, config, reactor))
    watched = {"webhooks": couriers.stuck}
    watched |= {each.title: each.stuck for each in rounds} | {each.title: each.stuck for each in posts}
    for part in (
        *rounds,
        couriers,
        *posts,
        *_pulses(config, watched, reactor),
        *_listeners("devices", config.devices, devices, reactor),
        *_listeners("admin", config.admin, operators, reactor),
    ):
        part.setServiceParent(service)
    return service


def _rounds(core: Core, couriers: Couriers, reactor: Any) -> Iterator[Round]:
    yield Round("sweep", core.clocks.interval, core.sweep, reactor)
    yield Round("watchdog", core.clocks.interval, core.watch, reactor)
    yield Round("sightings", FLUSH_SECONDS, core.presence.flush, reactor)
    yield Round("webhooks passed over", GLANCE_SECONDS, couriers.glance, reactor)
    yield Round("retention", PURGE_SECONDS, core.purge, reactor)


def _pulses(config: Config, watched: Mapping[str, Stuck], reactor: Any) -> Iterator[Round]:
    if config.pulse_url is not None:
        pulse = Pulse(config.pulse_url, HTTPClient(Agent(reactor)), reactor, watched)
        yield Round("pulse", INTERVAL, pulse.beat, reactor)


def _listeners(option: str, endpoints: Sequence[str], site: HouseSite, reactor: Any) -> Iterator[Listener]:
    return (listener(option, endpoint, site, reactor) for endpoint in endpoints)
