"""A server under measurement: a process of its own, on the server's core, in a directory of its own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

from attrs import define, field

from benchmarks.commands import Command, Spot, speeches
from benchmarks.generator import Broken
from benchmarks.machine import HOME, Cores, processor, resident
from benchmarks.speech import SERVER_EYE, Speech

HOST = "127.0.0.1"

UP_WITHIN = 60.0
"""Seconds in which a server should take connections; with a million commands in its database it takes some."""

_LOOK_AGAIN = 0.05
_LAST_WORDS = 600


@define(eq=False)
class Server:
    """One process, from its start to its end."""

    kind: str
    """Which of the line-up it is."""
    name: str
    """What it is called in the table: the same, unless there are several of a kind."""
    command: Command
    spot: Spot
    cores: Cores
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> "Server":
        """Start, and return when it takes connections.

        :raises Broken: if it does not.
        """
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                list(self.command.words),
                cwd=HOME,
                env={**os.environ, "PYTHONPATH": str(HOME), **self.command.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self.cores.for_server(),
            )
        until = time.monotonic() + UP_WITHIN
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise Broken(f"it did not start: {self._last_words()}")
            time.sleep(_LOOK_AGAIN)
        return self

    def stop(self) -> None:
        """End it at once: nothing of it is wanted any more, and to say goodbye to all connections takes some longer
        than the work.
        """
        if self._process is None:
            return
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)  # its own session: nobody else is in it
        self._process.wait()
        self._process = None

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._process is not None

    def resident(self) -> int:
        """Bytes of memory that it has in use."""
        assert self._process is not None, "it was not started"
        return resident(self._process.pid)

    def processor(self) -> float:
        """Seconds of processor time that it has used."""
        assert self._process is not None, "it was not started"
        return processor(self._process.pid)

    def speech(self, dialect: str = SERVER_EYE) -> Speech:
        """How it is spoken to."""
        return speeches(self.kind, self.spot)[dialect]

    @property
    def ports(self) -> Mapping[str, int]:
        """Where it listens, as settings of the generator."""
        return {"port": self.spot.port, "put_port": self.spot.put_port, "ask_port": self.spot.put_port}

    def _is_ready(self) -> bool:
        if not self.command.ready:
            return _listens(self.spot.port)
        try:
            with urlopen(f"http://{HOST}:{self.spot.put_port}{self.command.ready}", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def _log(self) -> Path:
        return self.spot.place / "server.log"

    def _last_words(self) -> str:
        return self._log.read_text("utf-8", "replace")[-_LAST_WORDS:].strip()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
