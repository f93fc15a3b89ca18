"""A server of its own for a test: ``twistd -n pushd`` in a folder, on ports that nobody else has."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from attrs import define, field

from tests.integration.calls import HOST, PATIENCE, Port

HOME = Path(__file__).parents[2]
TWISTD = Path(sys.executable).with_name("twistd")

ANY_PORT = f"tcp:0:interface={HOST}"
"""As an endpoint: the system chooses, so tests that run side by side never meet; the log tells which it was."""

OPEN = (f"--devices={ANY_PORT}", f"--admin={ANY_PORT}", "--admission=open")
"""Options of most servers here: any device may come."""

LOOK_AGAIN = 0.02
"""Seconds between two looks at what takes its time."""

_LISTENS = re.compile(r"starting on (\d+)$", re.MULTILINE)

T = TypeVar("T")


def until(look: Callable[[], T], what: str) -> T:
    """Look again and again until something is seen, and give it back; fail if it does not come."""
    deadline = monotonic() + PATIENCE
    while not (seen := look()):
        assert monotonic() < deadline, f"it did not come: {what}"
        sleep(LOOK_AGAIN)
    return seen


def ports_in(log: Path) -> list[int]:
    """The ports that a server listens on by its log: those for devices, then the one for operators."""
    return [int(port) for port in _LISTENS.findall(log.read_text())] if log.exists() else []


def environment() -> dict[str, str]:
    """Ours, in which this pushd is found, installed or not."""
    return {**os.environ, "PYTHONPATH": str(HOME)}


@define(eq=False)
class Server:
    """A server process and what it keeps; it may be started again and again."""

    folder: Path
    options: Sequence[str] = OPEN
    before: Callable[[], None] | None = None
    """Called in the new process, before the program."""
    runs: int = field(default=0, init=False)
    _process: "subprocess.Popen[Any]" = field(init=False)

    @property
    def data_dir(self) -> Path:
        """Where it keeps its state."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What this run of it logged."""
        return self.folder / f"run-{self.runs}.log"

    @property
    def complaints(self) -> Path:
        """What this run of it said on the standard error."""
        return self.folder / f"run-{self.runs}.err"

    def start(self) -> "Server":
        """Start, and return when it is ready."""
        self.launch()
        until(self._is_ready, "a server that is ready")
        return self

    def launch(self) -> None:
        """Start, and return at once."""
        self.runs += 1
        words = [str(TWISTD), "--nodaemon", "--pidfile=", "pushd", f"--data-dir={self.data_dir}", *self.options]
        with self.log.open("wb") as log, self.complaints.open("wb") as complaints:
            self._process = subprocess.Popen(
                words,
                cwd=self.folder,
                env=environment(),
                stdout=log,
                stderr=complaints,
                preexec_fn=self.before,
            )

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def devices(self) -> Port:
        """Where devices connect."""
        return Port(self.device_ports[0])

    @property
    def device_ports(self) -> list[int]:
        """All ports where devices connect."""
        return ports_in(self.log)[:-1]

    @property
    def admin(self) -> Port:
        """Where operators connect, with the admin's token."""
        return Port(ports_in(self.log)[-1], self.token)

    @property
    def token(self) -> str:
        """The admin's token."""
        return (self.data_dir / "admin.token").read_text().strip()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self._process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """End it at once, if it runs: it has no time to finish anything."""
        self._process.kill()
        self._process.wait()

    def send(self, device: str, payload: object, **terms: Any) -> str:
        """Send a command as an operator; its id."""
        answer = self.admin.ask(f"POST /v1/devices/{device}/commands", {"payload": payload, **terms})
        assert answer.code == 201, answer.body
        return str(answer.json["id"])

    def command(self, command: str) -> dict[str, Any]:
        """A command as an operator sees it."""
        found: dict[str, Any] = self.admin.ask(f"GET /v1/commands/{command}").json
        return found

    def polling(self) -> int:
        """How many devices hold a poll now."""
        devices = self.admin.ask("GET /v1/devices?limit=500").json["items"]
        return sum(device["polling"] for device in devices)

    def holds(self, device: str) -> bool:
        """Whether a poll of this device is held now."""
        answer = self.admin.ask(f"GET /v1/devices/{device}")
        return answer.code == 200 and bool(answer.json["polling"])

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.complaints.read_text() + self.log.read_text()
        ports = ports_in(self.log)
        return len(ports) > 1 and Port(ports[-1]).ask("GET /readyz").code == 200
