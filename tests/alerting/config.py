"""The configuration of an alerting run: which devices go offline, how and when, and how the programs are started."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from pushd.demo.layout import HOST
from pushd.demo.processes import twistd
from pushd.simulator.tap import Options
from tests.harness.config import HarnessConfig

SITE_MIN = 5
"""So many offline devices behind one address, or more, are one alert."""

MIN_OFFLINE = 12
"""With so many devices that go offline at random, at least one waits out the alert window when the server is killed,
and one is not offline yet.
"""

ALWAYS_ONLINE = ""
"""The role of the devices that stay online."""


@frozen(kw_only=True)
class Timing:
    """When things happen; all values are seconds, moments count from the simulator's start."""

    ramp: float
    hold: float
    poll_pause: float
    """Between two polls of a Control iD device."""
    heartbeat_timeout: float
    flapping_timeout: float
    """The heartbeat timeout of the devices that flap."""
    window: float
    """The alert window."""
    changes: int
    """A device flaps that changes so often..."""
    within: float
    """...within so many seconds."""
    flap: tuple[float, float, float]
    """When devices begin to flap, for how long, and the period: a device is offline for half of it."""
    site_offline_at: float
    signed_off_at: float
    first_wave_at: float
    """When most of the devices go offline that do so at random."""
    second_wave_at: float
    """When some more do, so that they wait out the alert window while alerts about the first are delivered."""
    third_wave_at: float
    """When the others do, so that they are not offline yet when the server is killed."""
    back_at: float
    """When all devices come back."""


FULL = Timing(
    ramp=8,
    hold=3,
    poll_pause=1,
    heartbeat_timeout=10,
    flapping_timeout=4,
    window=5,
    changes=5,
    within=50,
    flap=(12, 60, 12),
    site_offline_at=14,
    signed_off_at=16,
    first_wave_at=17,
    second_wave_at=22,
    third_wave_at=26,
    back_at=80,
)

BRIEF = Timing(
    ramp=2,
    hold=2,
    poll_pause=0.5,
    heartbeat_timeout=6,
    flapping_timeout=2,
    window=4,
    changes=3,
    within=20,
    flap=(3, 24, 8),
    site_offline_at=4,
    signed_off_at=4,
    first_wave_at=5,
    second_wave_at=9,
    third_wave_at=12,
    back_at=38,
)


@frozen(kw_only=True)
class AlertingConfig(HarnessConfig):
    """All that is decided before a run starts."""

    timing: Timing
    offline: int
    site: int
    """How many devices share each network address."""
    flapping: int
    signed_off: int
    muted: int
    tolerance: float
    """Seconds by which an event may be late."""

    bugs_module = "tests.alerting.planted_bugs"

    @property
    def simulator_log(self) -> Path:
        """The simulator's output."""
        return self.directory / "devices.log"

    def server_options(self) -> list[str]:
        """The timing, and where alerts are delivered."""
        timing = self.timing
        return [
            f"--hold=servereye={timing.hold:g}",
            f"--hold=controlid={timing.hold:g}",
            f"--alert-window={timing.window:g}",
            f"--flapping={timing.changes}/{timing.within:g}",
            *self.notification_options(),
        ]

    def simulator_command(self) -> list[str]:
        """The command that starts the simulator."""
        return [twistd(), "--nodaemon", "--pidfile=", "pushd-simulate", *self._simulator_options()]

    def schedule(self) -> list[dict[str, Any]]:
        """What the simulator will do with each device, with its ``role``."""
        options = Options()
        options.parseOptions(self._simulator_options())
        roles = self.roles()
        return [
            {**line, "role": roles.get(line["outage"], ALWAYS_ONLINE)} for line in options.fleet.scenario.schedule()
        ]

    def roles(self) -> Mapping[str, str]:
        """The role of the devices of each simulated outage."""
        timing = self.timing
        later = self.offline // MIN_OFFLINE
        start, length, period = timing.flap
        outages = {
            f"offline=site1@{timing.site_offline_at:g}": "site",
            f"offline={self.offline - 2 * later}@{timing.first_wave_at:g}": "offline",
            f"offline={later}@{timing.second_wave_at:g}": "offline",
            f"offline={later}@{timing.third_wave_at:g}": "offline",
            f"offline={self.muted}@{timing.first_wave_at + 1:g}": "muted",
            f"signed-off={self.signed_off}@{timing.signed_off_at:g}": "signed-off",
        }
        until_back = {
            f"{spec}+{timing.back_at - float(spec.partition('@')[2]):g}": role for spec, role in outages.items()
        }
        return until_back | {f"flapping={self.flapping}@{start:g}+{length:g}/{period:g}": "flapping"}

    def is_in_second_wave(self, device: dict[str, Any]) -> bool:
        """Whether a device of the schedule should wait out the alert window while the server is killed."""
        starts = [change["after"] for change in device["changes"]]
        return bool(device["role"] == "offline" and starts[0] == self.timing.second_wave_at)

    def heartbeat_timeout(self, role: str) -> float:
        """The heartbeat timeout of devices with this role."""
        return self.timing.flapping_timeout if role == "flapping" else self.timing.heartbeat_timeout

    def _simulator_options(self) -> list[str]:
        controlid = self.devices // 2
        return [
            f"--server=http://{HOST}:{self.devices_port}",
            f"--controlid={controlid}",
            f"--servereye={self.devices - controlid}",
            f"--sites={self.devices // self.site}",
            f"--seed={self.seed}",
            f"--ramp={self.timing.ramp:g}",
            f"--period={self.timing.poll_pause:g}",
            f"--retry-delay={self.timing.poll_pause:g}",
            f"--journal={self.devices_journal}",
            *(f"--outage={spec}" for spec in self.roles()),
        ]
