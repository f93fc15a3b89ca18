"""The service that twistd runs: starts, stops and drains the whole server."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.config import Config, ConfigError
from pushd.core.app import Core
from pushd.core.clocks import Clocks
from pushd.core.credentials import make_secret
from pushd.data_dir import DataDir
from pushd.http.bodies import PARSED_AT_ONCE, Budgets, at_most
from pushd.http.client_address import TrustedProxies
from pushd.http.connections import OpenConnections
from pushd.http.site import HTTPFactory
from pushd.lib.malloc import Trimmer, map_large_blocks
from pushd.lib.resolver import install_resolver
from pushd.listeners import listener
from pushd.model.errors import StoreRefused
from pushd.model.token import Role
from pushd.notifications.dead_mans_switch import INTERVAL, Stuck, build_switch
from pushd.notifications.webhooks.dispatcher import CHECKPOINT_SECONDS, WebhookDispatcher
from pushd.notifications.webhooks.guarded_agent import build_agent
from pushd.periodic import PeriodicTask
from pushd.process import exit_with_error, no_gc, raise_file_limit, set_switch_interval, tune_gc
from pushd.store.filters import History, StartOptions
from pushd.store.sqlite.store import MEMORY, SqliteStore
from pushd.wiring import build_admin_port, build_core, build_device_port, build_dispatcher, build_notifiers

FLUSH_SECONDS = 3.0
"""How often the devices' last-seen times are written to the store."""

HISTORY_SECONDS = 1.0
"""How often the number of the newest event is written to the data directory."""

PURGE_SECONDS = 60.0
"""How often data beyond the retention is deleted."""

SAVE_CLOCKS_SECONDS = 60.0
"""How often the clocks are saved, so that elapsed time continues after a crash."""

STOP_SECONDS = 3.0
"""How long a stop waits for the store and for answers that are being sent."""

UNSENT_POLL_SECONDS = 0.02
"""How often a stop checks whether all answers have been sent."""

RESERVED_FILES = 64
"""File descriptors that are never given to the device port."""

OTHER_FILES = 40
"""Those of them that are given to no port: listeners, the database, the log, webhooks, mails."""

EXTRA_CONNECTIONS = 32
"""Connections of the device port beyond the polls that can be held: for results, and for polls that are refused."""


@define(eq=False)
class PushdService(MultiService):
    """The whole server: twistd starts it, a signal stops it."""

    core: Core
    data_dir: DataDir
    config: Config
    sites: Sequence[HTTPFactory]
    reactor: Any
    _saved: int | None = field(default=None, init=False)
    """The number of the event that was last written to the history."""
    _log = Logger()

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def privilegedStartService(self) -> None:
        """Start to listen; connections are accepted once the reactor runs.

        :raises CannotStart: if the data directory is in use, or an endpoint cannot be opened.
        """
        try:
            self.data_dir.hold_early()  # before a port: a second server must not accept connections even for a moment
            super().privilegedStartService()
        except (StoreRefused, ConfigError) as error:
            exit_with_error(str(error))

    def startService(self) -> None:
        """Lock the data directory, open the store and start all parts.

        :raises CannotStart: if the directory, the store or an endpoint cannot be used.
        """
        try:
            self.data_dir.hold()
            install_resolver(self.reactor)
            with no_gc():
                self._open_store()
            super().startService()
        except (StoreRefused, ConfigError) as error:
            exit_with_error(str(error))
        set_switch_interval()
        tune_gc()
        map_large_blocks()
        self._limit_connections(raise_file_limit())

    def stopService(self) -> Deferred[None]:
        """Answer every held poll, stop listening, then finish writing to the store and to clients."""
        for site in self.sites:
            site.closing = True
        self.core.drain()
        stopped = Deferred.fromCoroutine(self._stop(super().stopService()))
        return stopped.addTimeout(STOP_SECONDS, self.core.clocks.clock).addErrback(self._not_stopped)

    def _limit_connections(self, files: int) -> None:
        """Limit polls and connections, so that the given number of open files is enough for all else."""
        devices, _ = self.sites
        devices.connections.all_ports.limit = files - OTHER_FILES
        devices.connections.limit = files - RESERVED_FILES
        self.core.poll_registry.limit = polls = max(files - RESERVED_FILES - EXTRA_CONNECTIONS, 0)
        self._log.info("Up to {polls} polls can be held at once", polls=polls)

    def _open_store(self) -> None:
        """Open the store, with an admin token that both the store and the data directory know.

        A new token revokes the earlier one. The store has it before the file, so that a process that ends in between
        leaves no file whose token is unknown; the next start makes another.

        :raises StoreRefused: if the store cannot be used, or is not the one that the data directory was used with.
        """
        config, data_dir = self.config, self.data_dir
        makes_database = config.new or data_dir.database == MEMORY
        if not makes_database:
            data_dir.check_database()
        known = None if config.new_token else data_dir.read_token()
        secret = known or make_secret()
        token = self.core.tokens.make("admin", Role.ADMIN, secret) if makes_database or known is None else None
        options = StartOptions(
            token=token, history=data_dir.read_history(), restored=config.restored, requeue=config.requeue
        )
        snapshot = self.core.start(options)
        if config.new and snapshot.devices:
            raise StoreRefused(f"{data_dir.database} has devices; start without --new.")
        if self.core.tokens.find(secret) is None:
            raise StoreRefused(
                f"{data_dir.database} does not know the token in {data_dir.token_path}: it is another database, or a"
                " part of it such as its -wal file is missing. Restore it, or start with --new-token."
            )
        try:
            data_dir.write_history(History(self.core.epochs.current, snapshot.last_event))
        except StoreRefused as error:
            if options.history is None or not options.history.epoch:
                raise  # the next start would take the database for a copy
            self._log.warn("{error} It will be tried again.", error=str(error))
        if snapshot.ended_in_copy is not None:
            self._log.warn(
                "{path} is a copy that lacks later changes; commands that were open in it and are now unknown: {count}"
                "; resolve them or send them again",
                path=data_dir.database,
                count=snapshot.ended_in_copy,
            )
        if known is None:
            self._log.info("The admin token is in {path}", path=str(data_dir.write_token(secret)))

    async def save_history(self) -> None:
        """Write the newest event to the data directory, if there was one since the start."""
        newest = self.core.feed.newest
        if newest is not None and newest != self._saved:
            self.data_dir.write_history(History(self.core.epochs.current, newest))
            self._saved = newest

    async def _stop(self, children: Deferred[None]) -> None:
        await children
        try:
            await self.core.presence.flush()
            await self.core.save_clocks()
        finally:
            await self.core.store.close()
            await self.save_history()
            self.data_dir.release()
        while self.reactor.getWriters():  # a reactor that stops drops what it has not sent yet
            await deferLater(self.reactor, UNSENT_POLL_SECONDS)

    def _not_stopped(self, failure: Failure) -> None:
        self._log.error("Shutdown incomplete, stopping anyway: {error}", error=failure.getErrorMessage())


def _uptime() -> float:
    """Seconds since the machine was started; those in which it was suspended count where the system says so."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def build_service(config: Config, reactor: Any, wall: Callable[[], float]) -> PushdService:
    """Build the whole server; nothing is opened, because twistd may still fork to become a daemon.

    ``reactor`` counts monotonic seconds; ``wall`` gives seconds since the epoch.

    :raises ConfigError: if an endpoint is not valid, or a file that an option names cannot be read.
    """
    data_dir = DataDir(config.data_dir, config.store)
    core = build_core(SqliteStore(data_dir.database, reactor), Clocks(reactor, wall, uptime=_uptime), config)

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    budgets = Budgets(on_large_release=Trimmer(reactor, in_thread).schedule)
    connections = OpenConnections()

    parse_in_thread = at_most(PARSED_AT_ONCE, in_thread)
    proxies = TrustedProxies.of(config.trusted_proxies)
    devices = HTTPFactory(build_device_port(core, config, parse_in_thread), budgets, reactor, connections, proxies)
    admin = HTTPFactory(build_admin_port(core, parse_in_thread), budgets, reactor, connections)
    service = PushdService(core, data_dir, config, (devices, admin), reactor)
    dispatcher = build_dispatcher(core, build_agent(reactor, core.webhooks.egress_policy))
    periodic = (
        *_periodic_tasks(core, dispatcher, reactor),
        PeriodicTask("history", HISTORY_SECONDS, service.save_history, reactor),
    )
    notifiers = tuple(build_notifiers(core, config, reactor))
    watched = {"webhooks": dispatcher.stuck}
    watched |= {task.title: task.stuck for task in periodic} | {each.title: each.stuck for each in notifiers}
    for part in (
        *periodic,
        dispatcher,
        *notifiers,
        *_heartbeats(config, watched, reactor),
        *(listener(config.source("devices"), endpoint, devices, reactor) for endpoint in config.devices),
        *(listener(config.source("admin"), endpoint, admin, reactor) for endpoint in config.admin),
    ):
        part.setServiceParent(service)
    return service


def _periodic_tasks(core: Core, dispatcher: WebhookDispatcher, reactor: Any) -> Iterator[PeriodicTask]:
    yield PeriodicTask("sweep", core.clocks.interval, core.sweep, reactor)
    yield PeriodicTask("offline detection", core.clocks.interval, core.detect_offline, reactor)
    yield PeriodicTask("last-seen times", FLUSH_SECONDS, core.presence.flush, reactor)
    yield PeriodicTask("webhook checkpoints", CHECKPOINT_SECONDS, dispatcher.checkpoint, reactor)
    yield PeriodicTask("clocks", SAVE_CLOCKS_SECONDS, core.save_clocks, reactor)
    yield PeriodicTask("retention", PURGE_SECONDS, core.purge, reactor)


def _heartbeats(config: Config, watched: Mapping[str, Stuck], reactor: Any) -> Iterator[PeriodicTask]:
    """The task that requests ``--heartbeat-url``, if it is set, while all ``watched`` parts make progress."""
    if config.heartbeat_url is not None:
        switch = build_switch(config.heartbeat_url, watched, reactor)
        yield PeriodicTask("heartbeat", INTERVAL, switch.ping, reactor)
