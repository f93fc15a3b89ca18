"""The server without its ports: startup, periodic work, shutdown."""

from secrets import token_hex

from attrs import define, evolve, field
from twisted.logger import Logger

from pushd.core.alerts import Alerts
from pushd.core.audit import AuditLog
from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.opener import Opener
from pushd.core.commands.operator_actions import OperatorActions
from pushd.core.copies import Copies
from pushd.core.devices.device_service import DeviceService
from pushd.core.devices.offline_detector import OfflineDetector
from pushd.core.devices.presence import Presence
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.devices.rejections import SharedRejections
from pushd.core.events.feed import Feed
from pushd.core.notification_tester import NotificationTester
from pushd.core.people import People
from pushd.core.polling.poll_registry import PollRegistry
from pushd.core.sessions import Sessions
from pushd.core.tokens import Tokens
from pushd.core.webhooks import Webhooks
from pushd.model.epochs import Epochs
from pushd.model.timestamps import DAY, LARGE_STEP
from pushd.store.event_limiter import MINUTE
from pushd.store.filters import NO_OPTIONS, StartOptions, StartupSnapshot
from pushd.store.interface import IStore
from pushd.store.membership import IMembership

RETENTION_PAUSE = 6 * 3_600_000
"""Milliseconds for which nothing is purged after a large step of the wall clock."""

TAKEN_OVER = 500
"""Devices of a process that has died that are taken over in one transaction."""

EPOCH_BYTES = 6
"""Random bytes in the name of an epoch."""


@define(eq=False, kw_only=True)
class Core:
    """All objects of the core, over one store."""

    store: IStore
    membership: IMembership
    clocks: Clocks
    registry: DeviceRegistry
    tokens: Tokens
    people: People
    sessions: Sessions
    presence: Presence
    offline_detector: OfflineDetector
    poll_registry: PollRegistry
    drafts: Drafts
    command_queue: CommandQueue
    operator_actions: OperatorActions
    opener: Opener
    feed: Feed
    alerts: Alerts
    device_service: DeviceService
    webhooks: Webhooks
    copies: Copies
    shared_rejections: SharedRejections
    notification_tester: NotificationTester
    retention_days: int
    audit_log: AuditLog
    epochs: Epochs
    _retention_from: int = field(default=0, init=False)
    """Elapsed time before which nothing is purged."""
    _reported: int = field(default=0, init=False)
    """The last minute in which suppressed events of earlier ones were reported."""
    _log = Logger()

    def start(self, options: StartOptions = NO_OPTIONS) -> StartupSnapshot:
        """Open the store, and load what it holds into memory."""
        snapshot = self.store.open(evolve(options, epoch=token_hex(EPOCH_BYTES)))
        self._resume_clocks(snapshot)
        self.epochs.load(snapshot.epochs)
        principals = (self.tokens, self.people, self.sessions)
        for part in (self.presence, self.registry, *principals, self.command_queue.result_index):
            part.load(snapshot)
        self.copies.start()
        self.offline_detector.start()
        return snapshot

    def _resume_clocks(self, snapshot: StartupSnapshot) -> None:
        """Continue elapsed time; a wall clock that seems wrong at the start counts as a step."""
        self.clocks.resume(snapshot.now)
        self._retention_from = snapshot.retention_from
        ahead = 0 if snapshot.newest is None else self.clocks.wall_now() - snapshot.newest
        if not 0 <= ahead <= self.retention_days * DAY:
            self._pause_retention()
            self._log.warn(
                "The wall clock is {seconds} s {direction} the newest stored time; retention pauses for 6 hours",
                seconds=round(abs(ahead) / 1000),
                direction="behind" if ahead < 0 else "ahead of",
            )

    def _pause_retention(self) -> None:
        self._retention_from = self.clocks.elapsed_now() + RETENTION_PAUSE

    async def save_clocks(self) -> None:
        """Save the clocks, and when tokens and sessions were used; to be called every minute, and at the end."""
        await self.store.save_clocks(self._retention_from)
        await self.tokens.save_uses()
        await self.sessions.save_uses()

    async def _handle_step(self) -> None:
        """The wall clock was set: log it, save it, and let nothing be sent late or purged early because of it."""
        step = self.clocks.step
        large = abs(step) > LARGE_STEP
        if large:
            self._pause_retention()
        await self.store.save_step(self._retention_from, step)
        self.clocks.accept_step()
        self.command_queue.claim_again()
        self._log.warn(
            "The wall clock was set {direction} by {seconds} s{consequence}",
            direction="forward" if step > 0 else "back",
            seconds=round(abs(step) / 1000, 1),
            consequence="; retention pauses for 6 hours" if large else "",
        )

    async def sweep(self) -> None:
        """Apply what time does to tokens, sessions, commands and alerts; to be called every second."""
        self.clocks.tick()
        self.tokens.end_expired()
        self.sessions.end_expired()
        self.clocks.follow(await self.membership.beat())
        if self.clocks.step:
            await self._handle_step()  # first: commands may have become too old, or not
        await self.command_queue.sweep()
        try:
            await self.presence.save_returned()  # before alerts are raised for devices that are back
        finally:
            await self.alerts.sweep()
        minute = self.clocks.elapsed_now() // MINUTE
        if minute != self._reported:  # report the events that the limit of the minute before has suppressed
            await self.store.report_suppressed()
            self._reported = minute

    async def detect_offline(self) -> None:
        """Mark devices offline; to be called every second, apart from :meth:`sweep`, so that neither waits."""
        self.clocks.tick()  # a stall of the server must not count as silence of the devices
        self.clocks.follow(await self.membership.beat())
        while taken := await self.membership.take_over(TAKEN_OVER):
            self.presence.take_over(taken)
        await self.offline_detector.check()

    async def purge(self) -> None:
        """Delete what is older than its retention, unless the wall clock may be wrong."""
        if abs(self.clocks.step) <= LARGE_STEP and self.clocks.elapsed_now() >= self._retention_from:
            await self.command_queue.purge(self.clocks.wall_now() - self.retention_days * DAY)
            await self.audit_log.purge()

    def drain(self) -> None:
        """Answer all held polls and waiting requests, and hold none from now on."""
        self.command_queue.drain()
        self.feed.drain()
