"""The server as a child process: ``twistd --nodaemon pushd`` in a directory of its own, on free ports."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from attrs import define, field

from tests.integration.calls import HOST, TIMEOUT, Port

ROOT = Path(__file__).parents[2]
TWISTD = Path(sys.executable).with_name("twistd")

ANY_PORT = f"tcp:0:interface={HOST}"
"""An endpoint whose port the system chooses, so that parallel tests never conflict; the log has the port."""

OPEN = (f"--devices={ANY_PORT}", f"--admin={ANY_PORT}", "--admission=open")
"""The options of most servers here: free ports, and every device is admitted."""

POLL_INTERVAL = 0.02
"""Seconds between two checks of a condition."""

_LISTENS = re.compile(r"starting on (\d+)$", re.MULTILINE)

T = TypeVar("T")


def until(condition: Callable[[], T], description: str) -> T:
    """Wait until a condition is true, and return its value; fail after :data:`TIMEOUT`."""
    deadline = monotonic() + TIMEOUT
    while not (value := condition()):
        assert monotonic() < deadline, f"timed out: {description}"
        sleep(POLL_INTERVAL)
    return value


def ports_in(log: Path) -> list[int]:
    """The ports in a server's log: those for devices, then the admin port."""
    return [int(port) for port in _LISTENS.findall(log.read_text())] if log.exists() else []


def environment() -> dict[str, str]:
    """The environment of this process, from which child processes import this pushd, installed or not."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@define(eq=False)
class Server:
    """A server with a data directory; it may be started again after its process has ended."""

    folder: Path
    options: Sequence[str] = OPEN
    preexec: Callable[[], None] | None = None
    """Called in the child process before the program starts."""
    variables: Mapping[str, str] = field(factory=dict)
    """Added to its environment."""
    starts: int = field(default=0, init=False)
    _process: "subprocess.Popen[Any]" = field(init=False)

    @property
    def data_dir(self) -> Path:
        """The server's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The log since the last start."""
        return self.folder / f"start-{self.starts}.log"

    @property
    def stderr(self) -> Path:
        """What the server wrote to standard error since the last start."""
        return self.folder / f"start-{self.starts}.err"

    def start(self) -> "Server":
        """Start the server and wait until it is ready."""
        self.launch()
        until(self._is_ready, "the server is ready")
        return self

    def launch(self) -> None:
        """Start the server without waiting."""
        self.starts += 1
        command = [str(TWISTD), "--nodaemon", "--pidfile=", "pushd", f"--data-dir={self.data_dir}", *self.options]
        with self.log.open("wb") as log, self.stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**environment(), **self.variables},
                stdout=log,
                stderr=stderr,
                preexec_fn=self._prepare,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def devices(self) -> Port:
        """The first device port."""
        return Port(self.device_ports[0])

    @property
    def device_ports(self) -> list[int]:
        """The numbers of all device ports."""
        return ports_in(self.log)[:-1]

    @property
    def admin(self) -> Port:
        """The admin port, with the admin token."""
        return Port(ports_in(self.log)[-1], self.token)

    @property
    def token(self) -> str:
        """The admin token."""
        return (self.data_dir / "admin.token").read_text().strip()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self._process.send_signal(number)
        return self.wait_exit()

    def wait_exit(self) -> int:
        """Wait for the end of the process; its exit code."""
        return self._process.wait(TIMEOUT)

    def kill(self) -> None:
        """Send SIGKILL, if the process is running, and wait for its end."""
        self._process.kill()
        self._process.wait()

    def send(self, device: str, payload: object, **options: Any) -> str:
        """Send a command with these send options; its id."""
        answer = self.admin.ask(f"POST /v1/devices/{device}/commands", {"payload": payload, **options})
        assert answer.code == 201, answer.body
        return str(answer.json["id"])

    def command(self, command: str) -> dict[str, Any]:
        """A command, as the admin API shows it."""
        found: dict[str, Any] = self.admin.ask(f"GET /v1/commands/{command}").json
        return found

    def polling(self) -> int:
        """How many devices have a poll that is held."""
        devices = self.admin.ask("GET /v1/devices?limit=500").json["items"]
        return sum(device["polling"] for device in devices)

    def holds(self, device: str) -> bool:
        """Whether a poll of this device is held."""
        answer = self.admin.ask(f"GET /v1/devices/{device}")
        return answer.code == 200 and bool(answer.json["polling"])

    def _prepare(self) -> None:
        # the parent may ignore SIGINT, as a shell lets background jobs do, and the server would inherit that
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if self.preexec is not None:
            self.preexec()

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.stderr.read_text() + self.log.read_text()
        ports = ports_in(self.log)
        return len(ports) > 1 and Port(ports[-1]).ask("GET /readyz").code == 200
