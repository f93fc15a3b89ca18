"""The service that twistd runs: starts, stops and drains the whole server."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from socket import gethostname
from typing import Any
from urllib.parse import quote

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
from pushd.core.credentials import digest, make_token_secret
from pushd.core.devices.rejections import SHARE_SECONDS
from pushd.data_dir import DataDir
from pushd.http.bodies import PARSED_AT_ONCE, Budgets, at_most
from pushd.http.client_address import TrustedProxies
from pushd.http.connections import OpenConnections
from pushd.http.site import HTTPFactory
from pushd.lib.malloc import Trimmer, map_large_blocks
from pushd.lib.resolver import install_resolver
from pushd.lib.uptime import uptime
from pushd.listeners import listener
from pushd.model.errors import StoreRefused
from pushd.node_name import node_name
from pushd.notifications.dead_mans_switch import INTERVAL, Stuck, build_switch
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.ownership import CHECK_SECONDS
from pushd.notifications.webhooks.dispatcher import CHECKPOINT_SECONDS, WebhookDispatcher
from pushd.notifications.webhooks.guarded_agent import build_agent
from pushd.periodic import PeriodicTask
from pushd.process import exit_with_error, no_gc, raise_file_limit, set_switch_interval, tune_gc
from pushd.store.filters import History, StartOptions, StartupSnapshot
from pushd.store.interface import IStore
from pushd.store.sqlite.store import MEMORY, SqliteStore
from pushd.wiring import build_admin_port, build_core, build_device_port, build_dispatcher, build_notifiers

FLUSH_SECONDS = 3.0
"""How often the devices' last-seen times are written to the store."""

BEAT_SECONDS = 1.0
"""How often other processes on the database are shown that this one is alive."""

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

NODE_IN_URL = "{node}"
"""Stands in ``--heartbeat-url`` for the name of the process among those that share the database."""

EXTRA_CONNECTIONS = 32
"""Connections of the device port beyond the polls that can be held: for results, and for polls that are refused."""


def polls_of(files: int) -> int:
    """How many polls can be held at once with this number of open files."""
    return max(files - RESERVED_FILES - EXTRA_CONNECTIONS, 0)


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
        self.core.poll_registry.limit = polls = polls_of(files)
        self._log.info("Up to {polls} polls can be held at once", polls=polls)

    def _open_store(self) -> None:
        """Open the store, with an admin token that both the store and the data directory know.

        One is made if there is no file, unless the file was deleted with its token and other admin tokens are left. It
        revokes the earlier one. The store has it before the file, so that a process that ends in between leaves no
        file whose token is unknown; the next start makes another.

        :raises StoreRefused: if the store cannot be used, or is not the one that the data directory was used with.
        """
        config, data_dir = self.config, self.data_dir
        makes_database = config.new or data_dir.database == MEMORY
        if not makes_database:
            data_dir.check_database()
        known = None if config.new_token else data_dir.read_token()
        secret = known or make_token_secret()
        options = StartOptions(
            token=self.core.tokens.make_file_token() if makes_database or known is None else None,
            token_digest=digest(secret),
            token_if_needed=not (makes_database or config.new_token),
            history=data_dir.read_history(),
            is_expected=not makes_database and data_dir.is_used,
            restored=config.restored,
            requeue=config.requeue,
        )
        snapshot = self.core.start(options)
        data_dir.check_contents(
            new=config.new,
            has_devices=bool(snapshot.devices),
            knows_token=known is None or self.core.tokens.knows(secret),
        )
        self._begin_history(snapshot, is_first=options.history is None or not options.history.epoch)
        if known is None and self.core.tokens.knows(secret):
            self._log.info("The admin token is in {path}", path=str(data_dir.write_token(secret)))

    def _begin_history(self, snapshot: StartupSnapshot, *, is_first: bool) -> None:
        """Write the epoch that begins to the data directory; say so if the database is a copy of an earlier one.

        :raises StoreRefused: if the ``is_first`` history cannot be written.
        """
        try:
            self.data_dir.write_history(History(self.core.epochs.current, snapshot.last_event))
        except StoreRefused as error:
            if is_first:
                raise  # the next start would take the database for a copy
            self._log.warn("{error} It will be tried again.", error=str(error))
        if snapshot.ended_in_copy is not None:
            self._log.warn(
                "{path} is a copy that lacks later changes; commands that were open in it and are now unknown: {count}"
                "; resolve them or send them again",
                path=self.data_dir.shown,
                count=snapshot.ended_in_copy,
            )

    async def save_history(self) -> None:
        """Write the newest event to the data directory, if there was one since the start."""
        newest = self.core.feed.newest
        if newest is not None and newest != self._saved:
            self.data_dir.write_history(History(self.core.epochs.current, newest))
            self._saved = newest

    async def beat(self) -> None:
        """Show the other processes on the database that this one is alive; to be called every second.

        While the database cannot be reached for so long that they take over, each connection of a device is closed
        after its next response, so that a load balancer sends the device to one of them.
        """
        membership, (devices, _) = self.core.membership, self.sites
        try:
            await membership.beat()
        except StoreRefused as error:
            self._log.critical("{error} This process ends.", error=str(error))
            self.reactor.stop()
        finally:
            was_closing = devices.closing
            devices.closing = membership.is_cut_off() or self.core.command_queue.draining
            if devices.closing and not was_closing:
                self._log.warn("The database cannot be reached; other processes serve the devices")
                self.core.poll_registry.end_all()
            if not membership.hears():
                self.core.feed.end_streams()  # a token of theirs may have been revoked
                self.core.device_service.revoke_proven()

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


def _build_store(data_dir: DataDir, config: Config, reactor: Any, wall: Callable[[], float]) -> tuple[IStore, Clocks]:
    """The store of the data directory, and the clocks by which it goes: of a database that several processes share,
    wall time is the database's.

    :raises ConfigError: if it is on PostgreSQL, and psycopg is not installed.
    """
    if not data_dir.is_shared:
        clocks = Clocks(reactor, wall, uptime=uptime)
        return SqliteStore(data_dir.database, reactor, now=clocks.now, uptime=uptime), clocks
    try:
        from pushd.store.postgres.store import PostgresStore  # psycopg is optional
    except ImportError as error:
        what = f"--store {data_dir.shown} needs psycopg: pip install 'pushd[postgres]'"
        raise ConfigError(f"{what} ({error}).") from error
    name = node_name(gethostname(), (*config.admin, *config.devices))
    store = PostgresStore(data_dir.database, reactor, name, uptime=uptime, machine=wall)
    return store, Clocks(reactor, store.clock.wall, uptime=uptime)


def build_service(config: Config, reactor: Any, wall: Callable[[], float]) -> PushdService:
    """Build the whole server; nothing is opened, because twistd may still fork to become a daemon.

    ``reactor`` counts monotonic seconds; ``wall`` gives seconds since the epoch.

    :raises ConfigError: if an endpoint is not valid, or a file that an option names cannot be read.
    """
    data_dir = DataDir(config.data_dir, config.store)
    core = build_core(*_build_store(data_dir, config, reactor, wall), config, data_dir)

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work)

    budgets = Budgets(on_large_release=Trimmer(reactor, in_thread).schedule)
    connections = OpenConnections()

    parse_in_thread = at_most(PARSED_AT_ONCE, in_thread)
    proxies = TrustedProxies.of(config.trusted_proxies)
    devices = HTTPFactory(build_device_port(core, config, parse_in_thread), budgets, reactor, connections, proxies)
    admin = HTTPFactory(build_admin_port(core, config, parse_in_thread), budgets, reactor, connections, proxies)
    service = PushdService(core, data_dir, config, (devices, admin), reactor)
    dispatcher = build_dispatcher(core, config, build_agent(reactor, core.webhooks.egress_policy))
    periodic = (
        *_periodic_tasks(core, dispatcher, reactor),
        PeriodicTask("history", HISTORY_SECONDS, service.save_history, reactor),
        PeriodicTask("beats", BEAT_SECONDS, service.beat, reactor),
    )
    notifiers = tuple(build_notifiers(core, config, reactor))
    periodic += tuple(
        _shared_tasks(core, {"webhooks": dispatcher, **{each.title: each for each in notifiers}}, reactor)
    )
    watched = {"webhooks": dispatcher.stuck}
    watched |= {task.title: task.stuck for task in periodic} | {each.title: each.stuck for each in notifiers}
    for part in (
        *periodic,
        dispatcher,
        *notifiers,
        *_heartbeats(config, watched, core, reactor),
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


def _shared_tasks(
    core: Core, owners: Mapping[str, WebhookDispatcher | MailNotifier], reactor: Any
) -> Iterator[PeriodicTask]:
    """The tasks of a process among others, if there may be some: share what it has refused, and renew what it owns."""
    if core.membership.is_shared():
        yield PeriodicTask("rejections", SHARE_SECONDS, core.shared_rejections.share, reactor)
        for title, owner in owners.items():
            yield PeriodicTask(f"ownership of {title}", CHECK_SECONDS, owner.renew, reactor)


def _heartbeats(config: Config, watched: Mapping[str, Stuck], core: Core, reactor: Any) -> Iterator[PeriodicTask]:
    """The task that requests ``--heartbeat-url``, if it is set, while all ``watched`` parts make progress."""
    if config.heartbeat_url is not None:
        url = config.heartbeat_url.replace(NODE_IN_URL, quote(core.membership.node_name(), safe=""))
        switch = build_switch(url, watched, core.store.unowned, reactor)
        yield PeriodicTask("heartbeat", INTERVAL, switch.ping, reactor)
