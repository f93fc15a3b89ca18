"""A server in a process of its own."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

import urllib3
from attrs import define, field
from urllib3.exceptions import HTTPError

from pushd.client import Client
from pushd.testing.processes import failure, start, stop

HOST = "127.0.0.1"
START_TIMEOUT = 30.0
"""Seconds that a start may take on a busy machine; it usually takes one."""

POLL_INTERVAL = 0.02

_STARTED = re.compile(r"HTTPFactory starting on (\d+)$", re.MULTILINE)


@define(eq=False)
class PushdServer:
    """A running server, with its data in a directory of its own, on ports that were free.

    Devices need approval, as by default: those that a test simulates are registered.
    """

    folder: Path
    options: Sequence[str] = ()
    """Further options of ``pushd-server``."""
    _ports: tuple[int, int] = field(default=(0, 0), init=False)
    """Of the devices and of the API; 0: any that is free."""
    _process: "subprocess.Popen[str]" = field(init=False)
    _client: Client | None = field(default=None, init=False)

    @property
    def client(self) -> Client:
        """A client with the token of an admin; the same after a restart."""
        if self._client is None:
            self._client = Client(self.url, self.token)
        return self._client

    @property
    def url(self) -> str:
        """The URL of the admin port, for clients."""
        return f"http://{HOST}:{self._ports[1]}"

    @property
    def device_url(self) -> str:
        """The URL of the device port."""
        return f"http://{HOST}:{self._ports[0]}"

    @property
    def token(self) -> str:
        """The token of an admin."""
        return (self.data_dir / "admin.token").read_text("utf-8").strip()

    @property
    def data_dir(self) -> Path:
        """The data directory."""
        return self.folder / "pushd-data"

    @property
    def log(self) -> Path:
        """The log of the server, for a look at what went wrong."""
        return self.folder / "pushd-server.log"

    def launch(self) -> None:
        """Start the process, and do not wait for it."""
        self.log.unlink(missing_ok=True)
        ports = zip(("--devices", "--admin"), self._ports, strict=True)
        listen = [f"{option}=tcp:{port}:interface={HOST}" for option, port in ports]
        self._process = start("server_process", self.log, f"--data-dir={self.data_dir}", *listen, *self.options)

    def wait_until_ready(self) -> None:
        """Wait until the server serves.

        :raises StartFailed: if it does not.
        """
        deadline = monotonic() + START_TIMEOUT
        while not self._is_ready():
            if self._process.poll() is not None or monotonic() > deadline:
                raise failure("pushd-server did not start:", self.log)
            sleep(POLL_INTERVAL)

    def restart(self, *, kill: bool = False) -> None:
        """End the server and start it again, with its data and its ports; ``kill``: by SIGKILL, so that it cannot end
        what it does.
        """
        if kill:
            self._process.kill()
        stop(self._process)
        self.launch()
        self.wait_until_ready()

    def close(self) -> None:
        """End the server."""
        if self._client is not None:
            self._client.close()
        stop(self._process)

    def _is_ready(self) -> bool:
        ports = [int(port) for port in _STARTED.findall(self.log.read_text("utf-8"))]
        if len(ports) < 2:
            return False
        self._ports = (ports[0], ports[-1])
        try:
            return urllib3.request("GET", f"{self.url}/readyz", retries=False, timeout=START_TIMEOUT).status == 200
        except HTTPError:
            return False
