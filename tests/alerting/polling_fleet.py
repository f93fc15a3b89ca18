"""Devices that hold polls on an in-memory server and repeat them on a schedule."""

from collections.abc import Iterable

from attrs import define, field, frozen

from pushd.core.app import Core
from pushd.core.devices.presence import DevicePresence


@frozen(kw_only=True)
class OfflinePeriod:
    """A device is offline from one second to another."""

    device: str
    start: int
    end: int


@define(eq=False, repr=False)
class PollingFleet:
    """Each device of ``addresses`` holds one poll unless it is offline, and repeats it every ``interval`` seconds."""

    addresses: dict[str, str]
    core: Core
    interval: int
    _polls: dict[str, DevicePresence] = field(factory=dict, init=False)

    def connect(self, devices: Iterable[str]) -> None:
        """Begin a poll of each of these devices."""
        now = self.core.clocks.clock.seconds()
        for device in devices:
            self._polls[device] = self.core.presence.begin_poll(device, self.addresses[device], now)

    def disconnect(self, devices: Iterable[str]) -> None:
        """End the poll of each of these devices."""
        for device in devices:
            self.core.presence.end_poll(self._polls.pop(device), is_idle=False)

    def repeat_polls(self, second: int) -> None:
        """Repeat the polls that are due at this second."""
        due = [
            device for device in list(self.addresses)[second % self.interval :: self.interval] if device in self._polls
        ]
        self.disconnect(due)
        self.connect(due)

    def move(self, core: Core) -> None:
        """Let all connected devices poll at another server."""
        connected = list(self._polls)
        self.disconnect(connected)
        self.core = core
        self.connect(connected)
