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
"""The size of a file system that is made for a test."""


class NotPermitted(Exception):
    """The user who runs the tests may not mount a file system."""


@frozen
class Disk:
    """A server, and a context manager in which its disk is full."""

    server: Server
    full: Callable[[], AbstractContextManager[None]]


@contextmanager
def limited(folder: Path) -> Iterator[Disk]:
    """A limit of the file size: while it is 0, the server can write to no file, not even to its log."""
    server = Server(folder, OPTIONS)
    yield Disk(server, partial(_limiting, server))


@contextmanager
def _limiting(server: Server) -> Iterator[None]:
    prlimit(server.pid, RLIMIT_FSIZE, (0, RLIM_INFINITY))
    try:
        yield
    finally:
        prlimit(server.pid, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """A file system in memory, only for the server.

    :raises NotPermitted: if the user may not mount one.
    """
    server = Server(folder, OPTIONS)
    server.data_dir.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "pushd-test", str(server.data_dir)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotPermitted("this user may not mount a file system") from error
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
