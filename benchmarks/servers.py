"""A server to measure: a process on the server's core, in a directory of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

from attrs import define, field

from benchmarks.generator import MeasurementFailed
from benchmarks.machine import ROOT, Cores, cpu_seconds, memory_bytes
from benchmarks.requests import SERVER_EYE, Requests
from benchmarks.start_commands import Location, StartCommand, requests_of

HOST = "127.0.0.1"

START_TIMEOUT = 60.0
"""Seconds within which a server must be ready; with a million stored commands it takes some."""

_POLL_INTERVAL = 0.05
_LOG_TAIL = 600


@define(eq=False)
class Server:
    """One process, from its start to its end."""

    kind: str
    """One of :mod:`benchmarks.server_names`."""
    name: str
    """Its name in the table: its kind, unless there are several servers of one kind."""
    command: StartCommand
    location: Location
    cores: Cores
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> "Server":
        """Start the process, and wait until it is ready.

        :raises MeasurementFailed: if it does not become ready.
        """
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                list(self.command.arguments),
                cwd=self.command.cwd,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.command.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self.cores.for_server(),
            )
        until = time.monotonic() + START_TIMEOUT
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise MeasurementFailed(f"it did not start: {self._log_tail()}")
            time.sleep(_POLL_INTERVAL)
        return self

    def stop(self) -> None:
        """Kill the process: a clean stop, with all its connections, takes some servers longer than the measurement."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)  # it has a session of its own
        self._process.wait()
        self._process = None

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._process is not None

    def memory_bytes(self) -> int:
        """Bytes of memory that the process uses."""
        assert self._process is not None, "it was not started"
        return memory_bytes(self._process.pid)

    def cpu_seconds(self) -> float:
        """Seconds of CPU time that the process has used."""
        assert self._process is not None, "it was not started"
        return cpu_seconds(self._process.pid)

    def requests(self, dialect: str = SERVER_EYE) -> Requests:
        """The requests of a dialect that it understands."""
        return requests_of(self.kind, self.location)[dialect]

    @property
    def ports(self) -> Mapping[str, int]:
        """Its ports, as settings of the generator."""
        admin_port = self.location.admin_port
        return {"port": self.location.port, "put_port": admin_port, "operator_port": admin_port}

    def _is_ready(self) -> bool:
        if not self.command.ready:
            return _is_open(self.location.port)
        try:
            with urlopen(f"http://{HOST}:{self.location.admin_port}{self.command.ready}", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def _log(self) -> Path:
        return self.location.directory / "server.log"

    def _log_tail(self) -> str:
        return self._log.read_text("utf-8", "replace")[-_LOG_TAIL:].strip()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
