"""The configuration of a run: where the server keeps its files, on which ports it listens, and how it is started."""

import sys
from pathlib import Path
from typing import ClassVar

from attrs import frozen

from pushd.demo.layout import HOST
from pushd.demo.processes import twistd


@frozen(kw_only=True)
class HarnessConfig:
    """What is decided before a run of any harness starts."""

    directory: Path
    seed: int
    devices: int
    devices_port: int
    admin_port: int
    smtp_port: int
    """The port of the mail server, if the harness has one."""
    plant: str | None = None
    """A bug to plant in the server."""

    bugs_module: ClassVar[str]
    """The program that plants a bug and then starts the server."""

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
    def devices_journal(self) -> Path:
        """What the simulated devices really did."""
        return self.directory / "devices.jsonl"

    @property
    def operator_journal(self) -> Path:
        """What the operator requested, and how it was answered."""
        return self.directory / "operator.jsonl"

    def admin_url(self, path: str = "") -> str:
        """The URL of the admin port."""
        return f"http://{HOST}:{self.admin_port}/{path}"

    def server_command(self) -> list[str]:
        """The command that starts the server."""
        planted = [sys.executable, "-m", self.bugs_module, str(self.plant)]
        return [
            *([twistd()] if self.plant is None else planted),
            "--nodaemon",
            "--pidfile=",
            "pushd",
            f"--data-dir={self.data_dir}",
            f"--devices=tcp:{self.devices_port}:interface={HOST}",
            f"--admin=tcp:{self.admin_port}:interface={HOST}",
            *self.server_options(),
        ]

    def notification_options(self) -> list[str]:
        """The options of a server that delivers webhooks to this host, and mails to the harness's mail server."""
        return [
            "--webhook-allow=127.0.0.0/8",
            "--mail-to=ops@example.org",
            "--mail-from=pushd@example.org",
            f"--smtp={HOST}:{self.smtp_port}",
        ]

    def server_options(self) -> list[str]:
        """The options of the server that this harness needs."""
        raise NotImplementedError
