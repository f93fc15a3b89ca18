"""The service: all of it as twistd has it, started from the bottom up and stopped from the top down."""

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

from pushd.config import Config, ConfigError
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.core.secrets import make_secret
from pushd.data_dir import DataDir
from pushd.http.bodies import Budget
from pushd.http.site import HTTPFactory
from pushd.listeners import Listener, listener
from pushd.model.errors import StoreRefused
from pushd.model.token import Role
from pushd.notifications.dead_mans_switch import INTERVAL, DeadMansSwitch, Stuck
from pushd.notifications.webhooks.dispatcher import CHECKPOINT_SECONDS, WebhookDispatcher
from pushd.notifications.webhooks.guarded_agent import build_agent
from pushd.periodic import PeriodicTask
from pushd.process import exit_with_error, raise_file_limit, set_switch_interval, tune_gc
from pushd.store.sqlite.store import SqliteStore
from pushd.wiring import build_admin_port, build_core, build_device_port, build_dispatcher, build_notifiers

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


@define(eq=False)
class PushdService(MultiService):
    """All of it: started by twistd, stopped by a signal."""

    core: Core
    data_dir: DataDir
    sites: Sequence[HTTPFactory]
    reactor: Any
    _log = Logger()

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def privilegedStartService(self) -> None:
        """Listen; what cannot be ends the program with one line. Nobody is served before the reactor turns.

        :raises CannotStart: with that line.
        """
        try:
            super().privilegedStartService()
        except ConfigError as error:
            exit_with_error(str(error))

    def startService(self) -> None:
        """Hold the data directory and the store, open it, then serve; what cannot be ends the program with one line.

        :raises CannotStart: with that line.
        """
        try:
            self.data_dir.hold()
            self.core.start()
            super().startService()
            self._provide_token()
        except (StoreRefused, ConfigError) as error:
            exit_with_error(str(error))
        set_switch_interval()
        tune_gc()
        self._log.info("Up to {polls} polls can be held at once", polls=raise_file_limit() - RESERVED_FILES)

    def stopService(self) -> Deferred[None]:
        """Answer every held poll, stop listening, finish what is on its way to the store and to clients."""
        for site in self.sites:
            site.closing = True
        self.core.drain()
        stopped = Deferred.fromCoroutine(self._stop(super().stopService()))
        return stopped.addTimeout(STOP_SECONDS, self.core.clocks.clock).addErrback(self._not_stopped)

    def _provide_token(self) -> None:
        """Unless the admin's token lies in the data directory: make one, which revokes the earlier one.

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
    """Build everything; open nothing, for twistd may still become a daemon.

    ``reactor`` counts monotonic seconds; ``wall`` gives seconds since the epoch.

    :raises ConfigError: if an endpoint cannot be understood.
    """
    data_dir = DataDir(config.data_dir, config.store)
    core = build_core(SqliteStore(data_dir.database, reactor), Clocks(reactor, wall), config)
    budget = Budget()

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    devices = HTTPFactory(build_device_port(core, config, in_thread), budget, reactor)
    operators = HTTPFactory(build_admin_port(core, in_thread), budget, reactor)
    service = PushdService(core, data_dir, (devices, operators), reactor)
    dispatcher = build_dispatcher(core, build_agent(reactor, core.webhooks.egress_policy))
    rounds, posts = tuple(_rounds(core, dispatcher, reactor)), tuple(build_notifiers(core, config, reactor))
    watched = {"webhooks": dispatcher.stuck}
    watched |= {each.title: each.stuck for each in rounds} | {each.title: each.stuck for each in posts}
    for part in (
        *rounds,
        dispatcher,
        *posts,
        *_pulses(config, watched, reactor),
        *_listeners("devices", config.devices, devices, reactor),
        *_listeners("admin", config.admin, operators, reactor),
    ):
        part.setServiceParent(service)
    return service


def _rounds(core: Core, dispatcher: WebhookDispatcher, reactor: Any) -> Iterator[PeriodicTask]:
    yield PeriodicTask("sweep", core.clocks.interval, core.sweep, reactor)
    yield PeriodicTask("watchdog", core.clocks.interval, core.detect_offline, reactor)
    yield PeriodicTask("sightings", FLUSH_SECONDS, core.presence.flush, reactor)
    yield PeriodicTask("webhook checkpoints", CHECKPOINT_SECONDS, dispatcher.checkpoint, reactor)
    yield PeriodicTask("retention", PURGE_SECONDS, core.purge, reactor)


def _pulses(config: Config, watched: Mapping[str, Stuck], reactor: Any) -> Iterator[PeriodicTask]:
    if config.heartbeat_url is not None:
        pulse = DeadMansSwitch(config.heartbeat_url, HTTPClient(Agent(reactor)), reactor, watched)
        yield PeriodicTask("pulse", INTERVAL, pulse.beat, reactor)


def _listeners(option: str, endpoints: Sequence[str], site: HTTPFactory, reactor: Any) -> Iterator[Listener]:
    return (listener(option, endpoint, site, reactor) for endpoint in endpoints)
