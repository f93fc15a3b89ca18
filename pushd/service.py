"""
The assembly: builds each room once, starts them from the bottom up, and stops them from the top down.
"""

import random
import resource
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define
from twisted.application.service import MultiService
from twisted.application.strports import service as listening
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.web.resource import IResource

from pushd.admin import port as admin
from pushd.admin.commands import CommandsApp
from pushd.admin.devices import DevicesApp
from pushd.admin.feed import FeedApp
from pushd.admin.health import HealthApp
from pushd.admin.sending import Sender
from pushd.config import Config
from pushd.core.admission import Admissions
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
from pushd.core.tokens import Tokens
from pushd.core.wakeups import Wakeups
from pushd.datadir import DataDir
from pushd.dialects.controlid.app import door as controlid_door
from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.dialects.servereye.app import door as servereye_door
from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.model.errors import StoreRefused
from pushd.model.ids import IdSource
from pushd.model.token import Role
from pushd.rounds import Round
from pushd.store.interface import IStore
from pushd.store.sqlite import SqliteStore
from pushd.web.bodies import Budget, InThread
from pushd.web.doors import DevicePort, Door
from pushd.web.site import HouseSite, Limit

DIALECTS = ((CONTROL_ID, controlid_door), (SERVER_EYE, servereye_door))
"""A dialect is a folder, and a line here."""

NAMES = tuple(dialect.name for dialect, _ in DIALECTS)

FLUSH_SECONDS = 3.0
"""How late the last sighting of a device may be in the store."""

PURGE_SECONDS = 60.0
"""How often we look for what was kept for long enough."""

DAY = 86_400_000
"""Milliseconds."""

STOP_SECONDS = 4.0
"""How long we wait for the store to finish when asked to stop."""

RESERVED_FILES = 64
"""File descriptors that are not polls: listeners, the database, the log."""


@define(eq=False)
class Core:
    """
    The rooms of the core, built over one store.
    """

    store: IStore
    clocks: Clocks
    fleet: Fleet
    tokens: Tokens
    presence: Presence
    wakeups: Wakeups
    drafts: Drafts
    outbox: Outbox
    review: Review
    feed: Feed
    reception: Reception
    keep: int
    """Days."""

    def recall(self) -> None:
        """
        Open the store, and let each room start from what it knows.
        """
        known = self.store.open(self.clocks.now())
        for room in (self.presence, self.fleet, self.tokens, self.outbox.queued, self.outbox.reportable):
            room.recall(known)
        self.drafts.ids.after(known.last_command)

    async def sweep(self) -> None:
        """
        The clock's part, every second.
        """
        self.clocks.tick()
        await self.outbox.sweep()

    async def purge(self) -> None:
        """
        Forget what was kept for long enough.
        """
        await self.outbox.purge(self.clocks.wall_now() - self.keep * DAY)

    def drain(self) -> None:
        """
        Let everybody who waits go.
        """
        self.outbox.drain()
        self.feed.drain()


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
        wakeups=wakeups,
        drafts=drafts,
        outbox=outbox,
        review=Review(store, clocks, drafts, fleet, wakeups),
        feed=Feed(store, clocks),
        reception=Reception(admissions, presence, outbox, wakeups, clocks, holds, config.batch),
        keep=config.keep,
    )


def build_device_port(core: Core, config: Config, in_thread: InThread[Any]) -> DevicePort:
    """
    The resource of the device port.
    """
    doors: Sequence[Door] = [
        door(core.reception, in_thread, config.trusted_proxies, config.bases) for _, door in DIALECTS
    ]
    return DevicePort(doors, core.fleet.owner_of_path)


def build_admin_port(core: Core, in_thread: InThread[Any]) -> admin.AdminPort:
    """
    The resource of the admin port.
    """
    sender = Sender(core.drafts, core.outbox, in_thread)
    devices = DevicesApp(core.tokens, core.fleet, core.store, core.wakeups, sender)
    commands = CommandsApp(core.tokens, core.outbox, core.review, core.store)
    apps = {
        b"devices": devices.router.resource(),
        b"commands": commands.router.resource(),
        b"events": FeedApp(core.tokens, core.feed).router.resource(),
    }
    health = HealthApp(core.tokens, Inspection(core.store, core.clocks, core.outbox))
    return admin.AdminPort(apps, health.router.resource())


@define(eq=False)
class PushdService(MultiService):
    """
    All of it: started by twistd, stopped by a signal.
    """

    config: Config
    core: Core
    data_dir: DataDir
    _log = Logger()

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def startService(self) -> None:
        """
        Hold the data directory, open the store, then listen; what cannot be ends the program with one line.

        :raises SystemExit: with that line.
        """
        try:
            self.data_dir.hold()
            self.core.recall()
            super().startService()
        except (StoreRefused, CannotListenError) as error:
            raise SystemExit(f"pushd: {error}") from None
        self._log.info("Up to {polls} polls can be held at once", polls=_raise_file_limit() - RESERVED_FILES)
        if self._needs_token():
            Deferred.fromCoroutine(self._make_token())

    def stopService(self) -> Deferred[None]:
        """
        Answer every held poll, stop listening, finish what is on its way to the store.
        """
        self.core.drain()
        stopped = Deferred.fromCoroutine(self._stop(super().stopService()))
        return stopped.addTimeout(STOP_SECONDS, self.core.clocks.clock).addErrback(self._not_stopped)

    def _needs_token(self) -> bool:
        secret = self.data_dir.read_token()
        return secret is None or self.core.tokens.find(secret) is None

    async def _make_token(self) -> None:
        try:
            secret = await self.core.tokens.renew("admin", Role.ADMIN)
            path = self.data_dir.write_token(secret)
            self._log.info("The admin's token is in {path}", path=str(path))
        except Exception:
            self._log.failure("The admin's token could not be written")

    async def _stop(self, children: Deferred[None]) -> None:
        await children
        await self.core.presence.flush()
        await self.core.store.close()
        self.data_dir.release()

    def _not_stopped(self, failure: Any) -> None:
        self._log.error("Not all was finished: {error}", error=failure.getErrorMessage())


def build_service(config: Config, reactor: Any, wall: Callable[[], float]) -> PushdService:
    """
    Build everything; open nothing, for twistd may still become a daemon.

    ``reactor`` counts monotonic seconds; ``wall`` gives seconds since the epoch.

    :raises SystemExit: with one line, if an endpoint cannot be understood.
    """
    data_dir = DataDir(config.data_dir)
    core = build_core(SqliteStore(config.store or str(data_dir.database), reactor), Clocks(reactor, wall), config)
    service = PushdService(config, core, data_dir)
    Round("sweep", core.clocks.interval, core.sweep, reactor).setServiceParent(service)
    Round("sightings", FLUSH_SECONDS, core.presence.flush, reactor).setServiceParent(service)
    Round("retention", PURGE_SECONDS, core.purge, reactor).setServiceParent(service)
    budget = Budget()

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    def listen(endpoints: Sequence[str], port: IResource, limit: Limit) -> None:
        site = HouseSite(port, limit, budget, reactor)
        for endpoint in endpoints:
            _listener(endpoint, site).setServiceParent(service)

    device_port = build_device_port(core, config, in_thread)
    listen(config.devices, device_port, device_port.limit)
    listen(config.admin, build_admin_port(core, in_thread), admin.limit)
    return service


def _listener(endpoint: str, site: HouseSite) -> Any:
    try:
        return listening(endpoint, site)
    except (ValueError, TypeError, LookupError) as error:
        raise SystemExit(f"pushd: {endpoint} is no endpoint such as tcp:8080: {error}") from None


def _raise_file_limit() -> int:
    """
    Raise the soft limit of open files to the hard one; what it is now.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
