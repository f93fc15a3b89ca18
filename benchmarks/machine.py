"""The machine: which cores are whose, how fast its disk is, and what it is called in a table."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

HOME = Path(__file__).parents[2]
"""The root of the repository: where programs are started."""

_FSYNCS = 200
_VOLATILE = ("tmpfs", "ramfs", "overlay")


class CannotMeasure(Exception):
    """The machine lacks something; the message says what."""


@frozen(kw_only=True)
class Cores:
    """Whose is which core, so that the load does not slow down what it measures."""

    server: int = 0
    generator: int = 1

    def for_server(self) -> Callable[[], None]:
        """What a server's process does before it becomes one."""
        return lambda: _settle_on(self.server)

    def for_generator(self) -> Callable[[], None]:
        """What a generator's process does before it becomes one."""
        return lambda: _settle_on(self.generator)


def _settle_on(core: int) -> None:
    if core in os.sched_getaffinity(0):  # a machine may have one core only
        os.sched_setaffinity(0, {core})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_polls() -> int:
    """How many polls one server process can hold here: one open file each, and some for itself."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200


def fsync_seconds(place: Path) -> float:
    """How long an fsync of a small write takes in this directory; the median of many."""
    took = []
    with (place / "fsync").open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(b"x" * 4096)
            began = time.monotonic()
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
    return statistics.median(took)


def filesystem(place: Path) -> str:
    """The kind of file system that a directory is on."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(point, kind) for point, kind in mounts if place.resolve().is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def is_on_disk(place: Path) -> bool:
    """Whether what is written here goes to a disk."""
    return filesystem(place) not in _VOLATILE


def processor(process: int) -> float:
    """Seconds of processor time that a process has used, in all its threads."""
    words = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes of memory that a process and its children have in use, each page once."""
    pids = [pid, *_children(pid)]
    return sum(_pss(one) for one in pids)


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise CannotMeasure("The kernel does not tell how much memory a process has.")


def _children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def describe(place: Path) -> dict[str, str]:
    """What a table says of the machine on which it was made."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "disk": f"{filesystem(place)}, fsync {fsync_seconds(place) * 1000:.2f} ms",
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
