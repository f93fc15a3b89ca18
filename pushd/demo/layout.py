"""The ports, files and command lines of the demo's programs."""

import socket
import sys
from contextlib import closing
from pathlib import Path
from shlex import quote

from attrs import frozen

from pushd.pushctl.server_address import TOKEN_FILE

HOST = "127.0.0.1"
"""The only address that the demo listens on: its devices have no secrets."""

FORGETFUL = "controlid:3206485144281371"
"""A reader that opens its door and never says so."""

FLAPPING = "controlid:3206485144281372"
"""A reader that goes offline and returns."""

NEW = "controlid:3206485144281373"
"""A reader that polls and is not approved."""


class PortTaken(Exception):
    """A port of the demo is in use, or may not be used."""


@frozen(kw_only=True)
class Layout:
    """The options of the demo; ``controlid`` and ``servereye`` are numbers of devices."""

    data_dir: Path
    devices_port: int
    admin_port: int
    controlid: int
    servereye: int
    once: bool

    @property
    def url(self) -> str:
        """The URL of the admin API."""
        return f"http://{HOST}:{self.admin_port}"

    def server(self) -> list[str]:
        """The arguments of ``twistd`` for the server."""
        return [
            "pushd",
            f"--data-dir={self.data_dir}",
            f"--devices=tcp:{self.devices_port}:interface={HOST}",
            f"--admin=tcp:{self.admin_port}:interface={HOST}",
        ]

    def simulator(self) -> list[str]:
        """The arguments of ``twistd`` for the simulated devices."""
        return [*self._simulate(), f"--controlid={self.controlid}", f"--servereye={self.servereye}"]

    def forgetful_device(self) -> list[str]:
        """The arguments of ``twistd`` for the device whose results get lost."""
        return [*self._simulate(), f"--id={_as_option(FORGETFUL)}", "--faults=lose-result=1"]

    def changing_devices(self) -> list[str]:
        """The arguments of ``twistd`` for the device that goes offline and returns, and for the new one."""
        ids = [f"--id={_as_option(device)}" for device in (FLAPPING, NEW)]
        return [*self._simulate(), *ids, "--outage=flapping=1-1@10+86400/300"]

    def _simulate(self) -> list[str]:
        return ["pushd-simulate", f"--server=http://{HOST}:{self.devices_port}"]

    def next_steps(self, login: str) -> str:
        """What to try while the demo keeps running; ``login`` is the address of the dashboard's log-in."""
        token = _shell_path(self.data_dir / TOKEN_FILE)
        program = _shell_path(Path(sys.executable).with_name("pushctl"))
        pushctl = f"{program} --url {self.url} --data-dir {_shell_path(self.data_dir)}"
        return f"""
The server and the devices keep running until Ctrl-C.
Dashboard (a link for ten minutes and one use; later, log in with the token):
  {login}
Worth a look there: a reader that waits for approval, one whose opening is
unknown, one that fails, and one that goes offline and returns.
  API:    {self.url}/v1/
  token:  {token}
  logs:   {_shell_path(self.log("server"))} {_shell_path(self.log("simulator"))}
Try:
  curl -H "Authorization: Bearer $(cat {token})" {self.url}/v1/devices
  {pushctl} devices
  {pushctl} watch
"""

    def log(self, name: str) -> Path:
        """The log file of one of the programs."""
        return self.data_dir / f"{name}.log"


def free_ports(devices: int, admin: int) -> tuple[int, int]:
    """The two ports, after a check that they can be used; 0 stands for any free port.

    :raises PortTaken: if one cannot be used.
    """
    with closing(_bound(devices)) as first, closing(_bound(admin)) as second:
        return first.getsockname()[1], second.getsockname()[1]


def _bound(port: int) -> socket.socket:
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError as error:
        probe.close()
        raise PortTaken(
            f"cannot use port {port} ({error.strerror}); choose other ports: make demo PORT=9080, or --port 9080"
        ) from None
    return probe


def _shell_path(path: Path) -> str:
    """The path quoted for a shell; relative if it is below the current directory."""
    here = Path.cwd()
    return quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _as_option(device: str) -> str:
    """A device as the simulator takes it."""
    return device.replace(":", "=")
