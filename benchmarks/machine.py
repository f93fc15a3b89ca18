"""The machine: cores, disk, memory and CPU time of processes, and its description in the results."""

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[1]
"""The root of the source tree, in which programs are started."""

_FSYNCS = 200
_VOLATILE = ("tmpfs", "ramfs", "overlay")


class CannotMeasure(Exception):
    """The machine lacks a requirement; the message says which."""


@frozen(kw_only=True)
class Cores:
    """Which core a server and the generator run on, so that the load does not slow down what it measures."""

    server: int = 0
    generator: int = 1

    def for_server(self) -> Callable[[], None]:
        """What the child process of a server calls before the program starts."""
        return lambda: _pin_to(self.server)

    def for_generator(self) -> Callable[[], None]:
        """What the child process of the generator calls before the program starts."""
        return lambda: _pin_to(self.generator)


def pin(pid: int, core: int) -> None:
    """Have a process, and what it starts later, run on one core; 0: this process."""
    if core in os.sched_getaffinity(0):  # the machine may have only one core
        os.sched_setaffinity(pid, {core})


def _pin_to(core: int) -> None:
    pin(0, core)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_polls() -> int:
    """How many polls one server process can hold: one open file for each, and some for itself."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200


def fsync_seconds(directory: Path) -> float:
    """How long an fsync after a small write takes in this directory; the median of many."""
    durations = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(b"x" * 4096)
            began = time.monotonic()
            os.fsync(file.fileno())
            durations.append(time.monotonic() - began)
    return statistics.median(durations)


def filesystem(directory: Path) -> str:
    """The type of the file system of a directory."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(point, kind) for point, kind in mounts if directory.resolve().is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def is_on_disk(directory: Path) -> bool:
    """Whether files in a directory are written to a disk."""
    return filesystem(directory) not in _VOLATILE


def cpu_seconds(pid: int, with_ended: bool = False) -> float:
    """Seconds of CPU time that a process has used, in all its threads; perhaps with its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended else 13])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    """Bytes of memory that a process and its children use; a page that they share counts once."""
    return sum(_proportional_set_size(each) for each in (pid, *children(pid)))


def _proportional_set_size(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise CannotMeasure("The kernel does not report how much memory a process uses.")


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def describe(directory: Path) -> dict[str, str]:
    """A description of the machine, and of the disk of this directory."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{_cpu_model()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "disk": f"{filesystem(directory)}, fsync {fsync_seconds(directory) * 1000:.2f} ms",
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
