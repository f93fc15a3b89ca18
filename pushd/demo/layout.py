"""Where the demo takes place, and with whom."""

import socket
import sys
from contextlib import closing
from pathlib import Path
from shlex import quote

from attrs import frozen

from pushd.pushctl.server_address import TOKEN_FILE

HOST = "127.0.0.1"
"""With open admission and simulated devices, nobody but this machine has any business here."""


class PortTaken(Exception):
    """A port of the demo is not to be had."""


@frozen(kw_only=True)
class Setting:
    """Where the demo takes place, and with whom."""

    data_dir: Path
    devices_port: int
    admin_port: int
    controlid: int
    servereye: int
    once: bool

    @property
    def url(self) -> str:
        """Where the admin API is."""
        return f"http://{HOST}:{self.admin_port}"

    def server(self) -> list[str]:
        """The server, as twistd is told."""
        return [
            "pushd",
            f"--data-dir={self.data_dir}",
            f"--devices=tcp:{self.devices_port}:interface={HOST}",
            f"--admin=tcp:{self.admin_port}:interface={HOST}",
            "--admission=open",
        ]

    def simulator(self) -> list[str]:
        """The devices, as twistd is told."""
        return [
            "pushd-simulate",
            f"--server=http://{HOST}:{self.devices_port}",
            f"--controlid={self.controlid}",
            f"--servereye={self.servereye}",
        ]

    def farewell(self) -> str:
        """How to go on by hand while the demo stays."""
        token = _near(self.data_dir / TOKEN_FILE)
        program = _near(Path(sys.executable).with_name("pushctl"))
        pushctl = f"{program} --url {self.url} --data-dir {_near(self.data_dir)}"
        return f"""
The server and the devices keep running until Ctrl-C.
  API:    {self.url}/v1/
  token:  {token}
  logs:   {_near(self.log("server"))} {_near(self.log("simulator"))}
Try:
  curl -H "Authorization: Bearer $(cat {token})" {self.url}/v1/devices
  {pushctl} devices
  {pushctl} watch
"""

    def log(self, name: str) -> Path:
        """Where one of the demo's programs logs."""
        return self.data_dir / f"{name}.log"


def free_ports(devices: int, admin: int) -> tuple[int, int]:
    """The two ports, if they can be had; 0 is any that is free.

    :raises PortTaken: if one cannot.
    """
    with closing(_bound(devices, "--devices-port")) as first, closing(_bound(admin, "--admin-port")) as second:
        return first.getsockname()[1], second.getsockname()[1]


def _bound(port: int, option: str) -> socket.socket:
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError as error:
        probe.close()
        raise PortTaken(f"Port {port} is not to be had ({error.strerror}); choose another by {option}.") from None
    return probe


def _near(path: Path) -> str:
    """The path as it is written from here if it lies below, ready for a shell."""
    here = Path.cwd()
    return quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
