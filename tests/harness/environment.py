"""The environment of the processes that a harness starts: module path, free ports, journals."""

import json
import os
import random
import socket
from contextlib import closing
from pathlib import Path

from pushd.demo.layout import HOST
from tests.harness.admin_api import Json

ROOT = Path(__file__).parents[2]
"""The root of the source tree, from which started programs import pushd, installed or not."""

_PORTS = range(20_000, 32_000)
"""Below the range from which the system chooses local ports. While the server is down, a device that connects to its
port from that same port would connect to itself, and keep the server from binding the port again.
"""


def environment() -> dict[str, str]:
    """The environment variables of this process, with the source tree on the module path."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def free_ports(count: int) -> list[int]:
    """Choose ports that are not in use."""
    chance = random.SystemRandom()  # a parallel run may have the same seed
    ports: set[int] = set()
    while len(ports) < count:
        port = chance.choice(_PORTS)
        if _is_free(port):
            ports.add(port)
    return list(ports)


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def read_journal(path: Path) -> list[Json]:
    """Read the lines of a journal; none if there is no such file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
