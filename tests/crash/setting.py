"""The setting of a run: where it takes place, with how many, for how long, and how the server is started."""

import os
import random
import socket
import sys
from contextlib import closing
from pathlib import Path

from attrs import frozen

from pushd.demo.layout import HOST
from pushd.demo.processes import twistd

HOME = Path(__file__).parents[2]
"""What the programs find this pushd by, installed or not."""

HOLD = 2.0
"""Seconds for which the server holds a poll: short, so that much happens."""

BATCH = 3
"""Commands that a Control iD device takes at once, if so many wait for it."""

SETTLING = 18.0
"""Seconds of a run that are kept for what comes after the kills: leases end, times to live end, the books are read."""

_LEAST_STORM = 0.4
"""Part of a run that is for the kills, however short it is."""

_PORTS = range(20_000, 32_000)
"""Below those that the system gives to connections: while the server is down, devices that connect to its port from
that very port would reach themselves, and keep it from coming back.
"""


@frozen(kw_only=True)
class Setting:
    """Everything that was decided before the run begins."""

    place: Path
    seed: int
    seconds: float
    kills: int
    devices: int
    devices_port: int
    admin_port: int
    plant: str | None = None

    @property
    def data_dir(self) -> Path:
        """The server's own directory, the same at each of its starts."""
        return self.place / "data"

    @property
    def database(self) -> Path:
        """Where the server keeps everything."""
        return self.data_dir / "pushd.sqlite"

    @property
    def log(self) -> Path:
        """What the server says, at all of its starts."""
        return self.place / "server.log"

    @property
    def operators_journal(self) -> Path:
        """What the operator sent, and what it was told."""
        return self.place / "operator.jsonl"

    @property
    def devices_journal(self) -> Path:
        """What the devices ran, and what they reported and got a 200 for."""
        return self.place / "devices.jsonl"

    def storm(self, elapsed: float) -> float:
        """For how many seconds to kill the server, when so many have passed before the first kill."""
        return max(self.seconds - SETTLING - elapsed, self.seconds * _LEAST_STORM)

    def server(self) -> list[str]:
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
        return [sys.executable, "-m", "tests.crash.planted", self.plant]


def environment() -> dict[str, str]:
    """Ours, in which other programs find the same pushd as we are."""
    paths = [str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    chance = random.SystemRandom()  # a run beside this one may have the same seed
    ports: set[int] = set()
    while len(ports) < count:
        port = chance.choice(_PORTS)
        if _is_free(port):
            ports.add(port)
    return list(ports)


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
