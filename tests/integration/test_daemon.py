"""Tests of the server as a daemon."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import socket

import pytest
from attrs import define

from tests.integration.calls import HOST, PATIENCE, Port
from tests.integration.server import ANY_PORT, TWISTD, environment, ports_in, until

pytestmark = pytest.mark.slow


@define(eq=False)
class Daemon:
    """A server that leaves its terminal."""

    folder: Path

    @property
    def pidfile(self) -> Path:
        """Where its process id is, while it runs."""
        return self.folder / "pushd.pid"

    @property
    def log(self) -> Path:
        """Where it logs."""
        return self.folder / "pushd.log"

    def start(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """What the command says, and its exit code, once the daemon runs or has given up."""
        ports = [f"--devices={ANY_PORT}", f"--admin={ANY_PORT}"]
        return subprocess.run(
            [TWISTD, f"--pidfile={self.pidfile}", f"--logfile={self.log}", "pushd", *ports, *options],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def signal(self, number: signal.Signals) -> None:
        """Signal it, as an operator does who reads the process id from its file."""
        os.kill(int(self.pidfile.read_text()), number)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that has not been started, and is not left behind."""
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.pidfile.exists():
        daemon.signal(signal.SIGKILL)


def test_daemon_starts_answers_and_stops(daemon: Daemon) -> None:
    """The command returns once the daemon serves and its token can be read; SIGTERM ends it, and takes its pidfile
    away.
    """
    started = daemon.start()
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    token = (daemon.folder / "pushd-data" / "admin.token").read_text().strip()
    devices, admin = ports_in(daemon.log)
    assert Port(admin, token).ask("GET /v1/devices").json["items"] == []
    poll = Port(devices).begin("GET /push/one")
    until(lambda: Port(admin, token).ask("GET /v1/devices?admission=pending").json["items"], "the stranger")
    daemon.signal(signal.SIGTERM)
    assert poll.answer().json["success"] is False
    until(lambda: not daemon.pidfile.exists(), "the end of the daemon")
    assert "Received SIGTERM" in daemon.log.read_text()


def refusal(daemon: Daemon, *options: str) -> str:
    """Start a daemon that cannot; what the command says: the beginning of what the log says. No pidfile is left."""
    started = daemon.start(*options)
    assert (started.returncode, daemon.log.exists()) == (1, True), started.stderr
    assert "Traceback" not in daemon.log.read_text()
    until(lambda: not daemon.pidfile.exists(), "the end of the daemon")
    assert "#error]" in daemon.log.read_text()
    return started.stderr


def test_daemon_without_a_data_directory(daemon: Daemon) -> None:
    """A daemon that cannot keep anything says so to whoever starts it, by the exit code too."""
    (daemon.folder / "file").touch()
    assert "The data directory file/data cannot be used: Not a directory." in refusal(daemon, "--data-dir=file/data")


def test_daemon_without_a_port(daemon: Daemon) -> None:
    """So does one whose port another program has."""
    with closing(socket()) as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        said = refusal(daemon, f"--admin=tcp:{port}")
    assert f"Couldn't listen on any:{port}: Address already in use" in said
