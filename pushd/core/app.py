"""All rooms of the core together: what a server is, without its doors."""

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
from pushd.store.interface import IStore

DAY = 86_400_000
"""Milliseconds."""


@define(eq=False)
class Core:
    """The rooms of the core, built over one store."""

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
    keep: int
    """Days."""

    def start(self) -> None:
        """Open the store, and let each room start from what it knows."""
        known = self.store.open(self.clocks.now())
        for room in (
            self.presence,
            self.registry,
            self.tokens,
            self.command_queue.command_index,
            self.command_queue.result_index,
        ):
            room.load(known)
        self.drafts.ids.after(known.last_command)
        self.offline_detector.start()

    async def sweep(self) -> None:
        """The clock's part in commands, every second."""
        self.clocks.tick()
        await self.command_queue.sweep()
        try:
            await self.presence.save_returned()  # who is back must not be missed
        finally:
            await self.alerts.sweep()

    async def detect_offline(self) -> None:
        """The clock's part in presence, every second; neither of the two waits for the other."""
        self.clocks.tick()  # a stall of ours is given back before silence is judged
        await self.offline_detector.check()

    async def purge(self) -> None:
        """Forget what was kept for long enough."""
        await self.command_queue.purge(self.clocks.wall_now() - self.keep * DAY)

    def drain(self) -> None:
        """Let everybody who waits go."""
        self.command_queue.drain()
        self.feed.drain()
