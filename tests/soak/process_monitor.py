"""The process monitor: once a second it measures the server, as the system sees it, and asks whether it is ready."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from attrs import asdict, define, field, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from tests.harness.config import HarnessConfig

INTERVAL = 1.0
READY_TIMEOUT = 10.0
"""Seconds within which the server must say that it is ready, even on a busy machine."""

_TICKS = os.sysconf("SC_CLK_TCK")
_KIB = 1024


AUDIT = "[pushd.audit#"
"""In log lines of which there is one for each act of an operator: they are not counted."""


@frozen(kw_only=True)
class Sample:
    """The server at one moment; sizes are in bytes."""

    second: float
    """Since the start of the load."""
    resident: int
    """All memory that it has in RAM."""
    anonymous: int
    """The part of that which is no file: a leak is here."""
    descriptors: int
    threads: int
    cpu: float
    """The share of one core since the sample before."""
    log_lines: int
    database: int
    wal: int


@define(eq=False, kw_only=True)
class ProcessMonitor:
    """Takes samples until it is stopped, and appends each to a file."""

    config: HarnessConfig
    pid: int
    http: HTTPClient
    reactor: Any
    samples: list[Sample] = field(factory=list, init=False)
    not_ready: list[str] = field(factory=list, init=False)
    """Each time that ``/readyz`` was not answered with 200 in time."""
    ready_times: list[tuple[float, float]] = field(factory=list, init=False)
    """Of each other answer, the second of the load when it was asked for, and how many seconds it took."""
    _started_at: float = field(default=0.0, init=False)
    _cpu_seconds: float = field(default=0.0, init=False)
    _log: TextIO = field(init=False)
    _log_lines: int = field(default=0, init=False)
    _loop: LoopingCall = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._sample)
        self._loop.clock = self.reactor

    def start(self) -> None:
        """Take the first sample now."""
        self._started_at, self._cpu_seconds = self.reactor.seconds(), self._read_cpu_seconds()
        self._log = self.config.log.open("r", encoding="utf-8", errors="replace")
        self._loop.start(INTERVAL)

    def stop(self) -> None:
        """Take no more samples."""
        if self._loop.running:
            self._loop.stop()
            self._log.close()

    @property
    def cpu(self) -> float:
        """The share of one core that the server used last."""
        return self.samples[-1].cpu

    @property
    def is_running(self) -> bool:
        """Whether it takes samples; an error ends it."""
        return bool(self._loop.running)

    def descriptors(self) -> int:
        """How many descriptors the server has open now."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def _sample(self) -> None:
        sample = self._measure()
        self.samples.append(sample)
        with (self.config.directory / "samples.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(sample)) + "\n")
        self._ask_ready()

    def _measure(self) -> Sample:
        status = self._read_status()
        second, cpu_seconds = self.reactor.seconds() - self._started_at, self._read_cpu_seconds()
        before = self.samples[-1].second if self.samples else -INTERVAL
        cpu = (cpu_seconds - self._cpu_seconds) / max(second - before, INTERVAL / 10)
        self._cpu_seconds = cpu_seconds
        self._log_lines += sum(AUDIT not in line for line in self._log)
        return Sample(
            second=round(second, 3),
            resident=status["VmRSS"] * _KIB,
            anonymous=status["RssAnon"] * _KIB,
            descriptors=self.descriptors(),
            threads=status["Threads"],
            cpu=round(cpu, 3),
            log_lines=self._log_lines,
            database=_size(self.config.database),
            wal=_size(Path(f"{self.config.database}-wal")),
        )

    def _read_status(self) -> dict[str, int]:
        lines = Path(f"/proc/{self.pid}/status").read_text("ascii", "replace").splitlines()
        fields = ((name, value.split()) for name, _, value in (line.partition(":") for line in lines))
        return {name: int(words[0]) for name, words in fields if words and words[0].isdecimal()}

    def _read_cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        user, system = fields[11:13]
        return (int(user) + int(system)) / _TICKS

    def _ask_ready(self) -> None:
        asked_at = self.reactor.seconds()
        asking = Deferred.fromCoroutine(self._get_ready())
        asking.addTimeout(READY_TIMEOUT, self.reactor)
        asking.addCallbacks(self._ready(asked_at), lambda failure: self.not_ready.append(failure.getErrorMessage()))

    def _ready(self, asked_at: float) -> Callable[[int], None]:
        def answered(status: int) -> None:
            if status == 200:
                self.ready_times.append((asked_at - self._started_at, self.reactor.seconds() - asked_at))
            else:
                self.not_ready.append(f"it answered {status}")

        return answered

    async def _get_ready(self) -> int:
        response = await self.http.get(self.config.admin_url("readyz"))
        await response.content()
        return int(response.code)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
