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

from tests.integration.calls import HOST, TIMEOUT, Port
from tests.integration.server import ANY_PORT, TWISTD, environment, ports_in, until

pytestmark = pytest.mark.slow


@define(eq=False)
class Daemon:
    """A server that runs in the background."""

    folder: Path

    @property
    def pidfile(self) -> Path:
        """The file that has the process id while the daemon runs."""
        return self.folder / "pushd.pid"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.folder / "pushd.log"

    def start(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run the command; it ends when the daemon is running or has failed to start."""
        ports = [f"--devices={ANY_PORT}", f"--admin={ANY_PORT}"]
        return subprocess.run(
            [TWISTD, f"--pidfile={self.pidfile}", f"--logfile={self.log}", "pushd", *ports, *options],
            cwd=self.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process id in the pidfile."""
        os.kill(int(self.pidfile.read_text()), number)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that is not started; it is killed at the end of the test."""
    daemon = Daemon(tmp_path)
    yield daemon
    if daemon.pidfile.exists():
        daemon.signal(signal.SIGKILL)


def test_daemon_starts_answers_and_stops(daemon: Daemon) -> None:
    """The command returns when the daemon is ready and has a token; SIGTERM stops it and removes the pidfile."""
    started = daemon.start()
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    token = (daemon.folder / "pushd-data" / "admin.token").read_text().strip()
    devices, admin = ports_in(daemon.log)
    assert Port(admin, token).ask("GET /v1/devices").json["items"] == []
    poll = Port(devices).begin("GET /push/one")
    until(lambda: Port(admin, token).ask("GET /v1/devices?admission=pending").json["items"], "the device is pending")
    daemon.signal(signal.SIGTERM)
    assert poll.answer().json["success"] is False
    until(lambda: not daemon.pidfile.exists(), "the daemon has ended")
    assert "Received SIGTERM" in daemon.log.read_text()


def start_error(daemon: Daemon, *options: str) -> str:
    """Start a daemon that cannot start; the printed error, which is also logged. No pidfile is left."""
    started = daemon.start(*options)
    assert (started.returncode, daemon.log.exists()) == (1, True), started.stderr
    assert "Traceback" not in daemon.log.read_text()
    until(lambda: not daemon.pidfile.exists(), "the daemon has ended")
    assert "#error]" in daemon.log.read_text()
    return started.stderr


def test_daemon_without_a_data_directory(daemon: Daemon) -> None:
    """A daemon whose data directory cannot be used prints the error and exits with 1."""
    (daemon.folder / "file").touch()
    folder = "file/" + "/".join(["long"] * 40)
    line = f"pushd: The data directory {folder} cannot be used: Not a directory.\n"
    assert start_error(daemon, f"--data-dir={folder}") == line


def test_daemon_without_a_port(daemon: Daemon) -> None:
    """So does a daemon whose port is in use."""
    with closing(socket()) as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        error = start_error(daemon, f"--admin=tcp:{port}")
    assert f"Couldn't listen on any:{port}: Address already in use" in error
