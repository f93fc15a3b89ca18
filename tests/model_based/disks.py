"""Disks that tests can fill under a running server."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

from attrs import frozen

from tests.integration.server import OPEN, Server

HOLD = 1
"""Seconds for which these servers hold a poll."""

OPTIONS = (*OPEN, f"--hold=controlid={HOLD}", f"--hold=servereye={HOLD}")

SIZE = "16m"
"""Of a disk that is made for a test."""


class NotPermitted(Exception):
    """Not everybody may mount a disk."""


@frozen
class Disk:
    """A server, and a way to fill its disk for a while."""

    server: Server
    full: Callable[[], AbstractContextManager[None]]


@contextmanager
def limited(folder: Path) -> Iterator[Disk]:
    """A disk on which, while it is full, the server's files may not be written; its log is among them."""
    server = Server(folder, OPTIONS)
    yield Disk(server, partial(_forbidding, server))


@contextmanager
def _forbidding(server: Server) -> Iterator[None]:
    prlimit(server.pid, RLIMIT_FSIZE, (0, RLIM_INFINITY))
    try:
        yield
    finally:
        prlimit(server.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """A disk of its own, in memory.

    :raises NotPermitted: if none may be made.
    """
    server = Server(folder, OPTIONS)
    server.data_dir.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "pushd-test", str(server.data_dir)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotPermitted("a disk of its own may not be mounted here") from error
    try:
        yield Disk(server, partial(_filling, server.data_dir / "filler"))
    finally:
        subprocess.run(["umount", "--lazy", str(server.data_dir)], check=True)


@contextmanager
def _filling(filler: Path) -> Iterator[None]:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    try:
        yield
    finally:
        filler.unlink()


KINDS = {"limit": limited, "mount": mounted}
