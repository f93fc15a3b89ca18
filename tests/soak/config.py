"""The configuration of a soak run: its duration and phases, the outages of devices, and the options of the server."""

from collections.abc import Iterator

from attrs import frozen

from pushd.simulator.outages import Outage, parse_outage
from tests.harness.config import HarnessConfig
from tests.harness.simulated_fleet import HOLD

HEARTBEAT_TIMEOUT = 10.0
ALERT_WINDOW = 4.0
"""Seconds: a device that is offline for longer than both together is in an alert."""

MAX_PENDING = 100
"""So few that they are all taken during the warm-up."""

MIN_MINUTES = 0.2
_MAX_WARM_UP = 180.0

_OUTAGE_SECONDS = 24.0
_OUTAGE_INTERVAL = 60.0
_OUTAGE_DEVICES = 2
_FIRST_OUTAGE = 2.0
_AFTER_OUTAGES = 5.0
"""Seconds from the last return of a device to the end of the load."""


@frozen(kw_only=True)
class SoakConfig(HarnessConfig):
    """All that is decided before a run starts."""

    minutes: float
    stop_seconds: float
    """How long the server may take to end after SIGTERM."""

    bugs_module = "tests.soak.planted_bugs"

    @property
    def seconds(self) -> float:
        """The duration of the load."""
        return self.minutes * 60

    @property
    def warm_up(self) -> float:
        """Seconds of the load after which the server's size must remain the same."""
        return min(self.seconds / 4, _MAX_WARM_UP)

    def outages(self) -> Iterator[Outage]:
        """Some devices at a time are offline until they are in an alert; each at most once in a run."""
        start, free = _FIRST_OUTAGE, self.devices
        while start + _OUTAGE_SECONDS + _AFTER_OUTAGES <= self.seconds and free >= _OUTAGE_DEVICES:
            yield parse_outage(f"offline={_OUTAGE_DEVICES}@{start:g}+{_OUTAGE_SECONDS:g}")
            start, free = start + _OUTAGE_INTERVAL, free - _OUTAGE_DEVICES

    def server_options(self) -> list[str]:
        """Short holds and timeouts, so that much happens during a run."""
        return [
            f"--hold=servereye={HOLD}",
            f"--hold=controlid={HOLD}",
            f"--max-pending={MAX_PENDING}",
            f"--alert-window={ALERT_WINDOW:g}",
            *self.notification_options(),
        ]
