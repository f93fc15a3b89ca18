"""The configuration of a crash run: directory, ports, load and duration, and how the server is started."""

import sys
from pathlib import Path

from attrs import frozen

from pushd.demo.layout import HOST
from pushd.demo.processes import twistd

HOLD = 2.0
"""Seconds for which the server holds a poll: short, so that many polls end during a run."""

BATCH = 3
"""How many queued commands a Control iD device may receive at once."""

SETTLE_SECONDS = 18.0
"""Seconds of a run that are left after the last kill, in which leases and times to live end."""

_MIN_KILL_SHARE = 0.4
"""The share of a short run that the kill phase has at least."""


@frozen(kw_only=True)
class CrashConfig:
    """All that is decided before a run starts."""

    directory: Path
    seed: int
    seconds: float
    kills: int
    devices: int
    devices_port: int
    admin_port: int
    plant: str | None = None

    @property
    def data_dir(self) -> Path:
        """The server's data directory, the same for each start."""
        return self.directory / "data"

    @property
    def database(self) -> Path:
        """The server's database file."""
        return self.data_dir / "pushd.sqlite"

    @property
    def log(self) -> Path:
        """The server's output, of all its starts."""
        return self.directory / "server.log"

    @property
    def operator_journal(self) -> Path:
        """What the operator requested, and how it was answered."""
        return self.directory / "operator.jsonl"

    @property
    def devices_journal(self) -> Path:
        """What the devices ran, and which results were answered with 200."""
        return self.directory / "devices.jsonl"

    def kill_seconds(self, elapsed: float) -> float:
        """The duration of the kill phase, if ``elapsed`` seconds of the run have passed before it."""
        return max(self.seconds - SETTLE_SECONDS - elapsed, self.seconds * _MIN_KILL_SHARE)

    def server_command(self) -> list[str]:
        """The command that starts the server."""
        return [
            *self._program(),
            "--nodaemon",
            "--pidfile=",
            "pushd",
            f"--data-dir={self.data_dir}",
            f"--devices=tcp:{self.devices_port}:interface={HOST}",
            f"--admin=tcp:{self.admin_port}:interface={HOST}",
            "--admission=open",
            f"--hold=servereye={HOLD}",
            f"--hold=controlid={HOLD}",
            f"--batch={BATCH}",
        ]

    def _program(self) -> list[str]:
        if self.plant is None:
            return [twistd()]
        return [sys.executable, "-m", "tests.crash.planted_bugs", self.plant]
