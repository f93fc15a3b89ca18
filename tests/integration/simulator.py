"""The simulator as a process, against a server process."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.calls import HOST
from tests.integration.server import TWISTD, Server, environment


@contextmanager
def running_simulator(server: Server, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """Run simulated devices with these options until the block ends."""
    address = f"--server=http://{HOST}:{server.devices.number}"
    process = subprocess.Popen(
        [str(TWISTD), "--nodaemon", "--pidfile=", "pushd-simulate", address, *options],
        cwd=server.folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
