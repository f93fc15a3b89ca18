"""The network between one node and PostgreSQL, which the harness cuts; see :mod:`tests.cluster.forwarder`."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.crash.disturbances import is_stopped
from tests.harness.server_process import Process, spawn


@define(eq=False, kw_only=True)
class Network:
    """The process that forwards the connections of a node."""

    reactor: Any
    port: int
    postgres_port: int
    device: str
    """The device whose claims it can be cut at."""
    log: Path
    _process: Process | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the process."""
        command = ["-m", "tests.cluster.forwarder", str(self.port), str(self.postgres_port), self.device]
        self._process = spawn(self.reactor, [sys.executable, *command], self.log)

    def stop(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.signal("KILL")

    def cut(self) -> None:
        """Forward nothing; connections stay, and new ones are accepted, as by a network that loses packets."""
        os.kill(self._pid, signal.SIGSTOP)

    def mend(self) -> None:
        """Forward again, first what waits."""
        os.kill(self._pid, signal.SIGCONT)

    def cut_after_claim(self) -> None:
        """Cut it when PostgreSQL has committed the next claim for the device, and before the node knows of it."""
        os.kill(self._pid, signal.SIGUSR1)

    @property
    def is_cut(self) -> bool:
        """Whether it is cut."""
        return is_stopped(self._pid)

    @property
    def _pid(self) -> int:
        assert self._process is not None, "it was not started"
        return int(self._process.transport.pid)  # type: ignore[union-attr]
