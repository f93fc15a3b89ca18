"""The setting of a run: how many fall silent in which way and when, and how the programs are started."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from pushd.demo.layout import HOST
from pushd.demo.processes import twistd
from pushd.simulator.tap import Options

TOGETHER = 5
"""So many silences behind one address are one alert."""

LEAST_LOST = 12
"""Of so many who fall silent at random, one waits when the server is killed, and one is not offline yet."""

BLAMELESS = ""
"""The role of those who stay."""


@frozen(kw_only=True)
class Pace:
    """When it happens; everything is in seconds, moments count from the simulator's start."""

    ramp: float
    hold: float
    rest: float
    """What a reader rests between two polls."""
    timeout: float
    """After so much silence a device is offline."""
    short: float
    """The same for those that flap."""
    window: float
    changes: int
    within: float
    flap: tuple[float, float, float]
    """When those that flap begin, for how long they do, and how long one time lasts: away for half of it."""
    site: float
    signed_off: float
    most: float
    """When most of those fall silent who do so at random."""
    some: float
    """When some more do: so that they wait out their window while the alerts about the others are delivered."""
    rest_of_them: float
    """When the others do: so that they are not offline yet when the server is killed."""
    back: float
    """When everybody comes back."""


FULL = Pace(
    ramp=8,
    hold=3,
    rest=1,
    timeout=10,
    short=4,
    window=5,
    changes=5,
    within=50,
    flap=(12, 60, 12),
    site=14,
    signed_off=16,
    most=17,
    some=22,
    rest_of_them=26,
    back=80,
)

BRIEF = Pace(
    ramp=2,
    hold=2,
    rest=0.5,
    timeout=6,
    short=2,
    window=4,
    changes=3,
    within=20,
    flap=(3, 24, 8),
    site=4,
    signed_off=4,
    most=5,
    some=9,
    rest_of_them=12,
    back=38,
)


@frozen(kw_only=True)
class Setting:
    """Everything that was decided before the run begins."""

    place: Path
    seed: int
    pace: Pace
    devices: int
    lost: int
    site: int
    """How many devices are behind each address."""
    flapping: int
    signed_off: int
    muted: int
    slack: float
    """Seconds by which something may be late."""
    devices_port: int
    admin_port: int
    smtp_port: int
    plant: str | None = None

    @property
    def data_dir(self) -> Path:
        return self.place / "data"

    @property
    def database(self) -> Path:
        return self.data_dir / "pushd.sqlite"

    @property
    def log(self) -> Path:
        return self.place / "server.log"

    @property
    def journal(self) -> Path:
        """What really became of the devices."""
        return self.place / "devices.jsonl"

    @property
    def fleet_log(self) -> Path:
        """What the simulator says."""
        return self.place / "devices.log"

    def server(self) -> list[str]:
        """The command that starts the server."""
        pace = self.pace
        program = [twistd()] if self.plant is None else [sys.executable, "-m", "tests.alerting.planted", self.plant]
        return [
            *program,
            "--nodaemon",
            "--pidfile=",
            "pushd",
            f"--data-dir={self.data_dir}",
            f"--devices=tcp:{self.devices_port}:interface={HOST}",
            f"--admin=tcp:{self.admin_port}:interface={HOST}",
            f"--hold=servereye={pace.hold:g}",
            f"--hold=controlid={pace.hold:g}",
            f"--alert-window={pace.window:g}",
            f"--flapping={pace.changes}/{pace.within:g}",
            "--webhook-allow=127.0.0.0/8",
            "--mail-to=ops@example.org",
            "--mail-from=pushd@example.org",
            f"--smtp={HOST}:{self.smtp_port}",
        ]

    def fleet(self) -> list[str]:
        """The command that starts the simulator."""
        return [twistd(), "--nodaemon", "--pidfile=", "pushd-simulate", *self._fleet()]

    def plan(self) -> list[dict[str, Any]]:
        """What will become of each device, with its ``role``; of those who stay, it is empty."""
        options = Options()
        options.parseOptions(self._fleet())
        roles = self.roles()
        return [{**line, "role": roles.get(line["outage"], BLAMELESS)} for line in options.fleet.scenario.schedule()]

    def roles(self) -> Mapping[str, str]:
        """What the devices of each outage are."""
        pace = self.pace
        later = self.lost // LEAST_LOST
        start, length, period = pace.flap
        outages = {
            f"offline=site1@{pace.site:g}": "site",
            f"offline={self.lost - 2 * later}@{pace.most:g}": "lost",
            f"offline={later}@{pace.some:g}": "lost",
            f"offline={later}@{pace.rest_of_them:g}": "lost",
            f"offline={self.muted}@{pace.most + 1:g}": "muted",
            f"signed-off={self.signed_off}@{pace.signed_off:g}": "signed-off",
        }
        absent = {f"{spec}+{pace.back - float(spec.partition('@')[2]):g}": role for spec, role in outages.items()}
        return absent | {f"flapping={self.flapping}@{start:g}+{length:g}/{period:g}": "flapping"}

    def is_waited_for(self, device: dict[str, Any]) -> bool:
        """Whether a device is one of those that should wait out their window while the server is killed."""
        starts = [change["after"] for change in device["changes"]]
        return bool(device["role"] == "lost" and starts[0] == self.pace.some)

    def timeout(self, role: str) -> float:
        """After how many seconds of silence a device with this role is offline."""
        return self.pace.short if role == "flapping" else self.pace.timeout

    def _fleet(self) -> list[str]:
        readers = self.devices // 2
        return [
            f"--server=http://{HOST}:{self.devices_port}",
            f"--controlid={readers}",
            f"--servereye={self.devices - readers}",
            f"--sites={self.devices // self.site}",
            f"--seed={self.seed}",
            f"--ramp={self.pace.ramp:g}",
            f"--period={self.pace.rest:g}",
            f"--retry-delay={self.pace.rest:g}",
            f"--journal={self.journal}",
            *(f"--outage={spec}" for spec in self.roles()),
        ]
