"""The server without its ports: startup, periodic work, shutdown."""

from attrs import define

from pushd.core.alerts import Alerts
from pushd.core.clocks import Clocks
from pushd.core.commands.command_queue import CommandQueue
from pushd.core.commands.drafts import Drafts
from pushd.core.commands.operator import OperatorActions
from pushd.core.credentials import Tokens
from pushd.core.devices.device_service import DeviceService
from pushd.core.devices.offline_detector import OfflineDetector
from pushd.core.devices.presence import Presence
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.events.feed import Feed
from pushd.core.polling.poll_registry import PollRegistry
from pushd.core.webhooks import Webhooks
from pushd.store.filters import StartOptions, StartupSnapshot
from pushd.store.interface import IStore

DAY = 86_400_000
"""Milliseconds."""

_NO_OPTIONS = StartOptions()


@define(eq=False, kw_only=True)
class Core:
    """All objects of the core, over one store."""

    store: IStore
    clocks: Clocks
    registry: DeviceRegistry
    tokens: Tokens
    presence: Presence
    offline_detector: OfflineDetector
    poll_registry: PollRegistry
    drafts: Drafts
    command_queue: CommandQueue
    operator_actions: OperatorActions
    feed: Feed
    alerts: Alerts
    device_service: DeviceService
    webhooks: Webhooks
    retention_days: int

    def start(self, options: StartOptions = _NO_OPTIONS) -> StartupSnapshot:
        """Open the store, and load what it holds into memory."""
        snapshot = self.store.open(self.clocks.now(), options)
        queue = self.command_queue
        for part in (self.presence, self.registry, self.tokens, queue.command_index, queue.result_index):
            part.load(snapshot)
        self.drafts.ids.after(snapshot.last_command)
        self.offline_detector.start()
        return snapshot

    async def sweep(self) -> None:
        """Apply what time does to commands and alerts; to be called every second."""
        self.clocks.tick()
        await self.command_queue.sweep()
        try:
            await self.presence.save_returned()  # before alerts are raised for devices that are back
        finally:
            await self.alerts.sweep()

    async def detect_offline(self) -> None:
        """Mark devices offline; to be called every second, apart from :meth:`sweep`, so that neither waits."""
        self.clocks.tick()  # a stall of the server must not count as silence of the devices
        await self.offline_detector.check()

    async def purge(self) -> None:
        """Delete what is older than ``retention_days``."""
        await self.command_queue.purge(self.clocks.wall_now() - self.retention_days * DAY)

    def drain(self) -> None:
        """Answer all held polls and waiting requests, and hold none from now on."""
        self.command_queue.drain()
        self.feed.drain()
