"""A session with PostgreSQL: its settings, and how it is opened again after it was lost."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from math import inf
from time import monotonic
from typing import Any

import psycopg
from attrs import define, evolve, field, frozen
from psycopg.rows import DictRow, dict_row
from psycopg.types.numeric import Int8Dumper

from pushd.model.errors import StoreRefused, Unavailable
from pushd.store.commit_failures import CommitFailures


class Connection(psycopg.Connection[DictRow]):
    """A session, which knows the statements that were prepared in it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prepared: Mapping[bytes, bytes] = {}
        """The names of statements that are run by :mod:`pushd.store.postgres.pipeline`."""
        self._numbers = count()

    def new_name(self) -> bytes:
        """A name for another prepared statement."""
        return b"pushd%d" % next(self._numbers)


OLDEST_SERVER, CONNECT_SECONDS = 140000, 5
"""The oldest version of PostgreSQL, and seconds after which an attempt to connect fails."""

MAX_BACKOFF = 5.0
"""Seconds between two attempts to connect, at most; meanwhile what needs a session fails at once."""

_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
_BY_INDEX = {f"enable_{kind}": "off" for kind in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material")}
"""For statements that read a few rows, by indexes whatever the size of their tables."""

FIRST_PLANS, MAX_PLANS = 0.5, 60.0
"""Seconds for which plans are kept: at first, and at most; twice as long each time. PostgreSQL itself keeps one that
reads all of an empty table until it has counted the rows again, a minute later or more.
"""
WRITER_SETTINGS = {
    # a process that is stopped in the middle of a transaction must not keep its locks
    "idle_in_transaction_session_timeout": "2s",
    "lock_timeout": "3s",  # longer: by then they are free
}
_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', FALSE)"
    " WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"
)
"""What is answered with 201 must survive a power cut, whatever the default of the database."""

TRANSACTION_TIMEOUT = "5s"
"""Of sessions that write, where PostgreSQL knows it (from version 17 on)."""


def reason(error: BaseException) -> str:
    """What an error of the database says, in one line."""
    return " ".join(str(error).split())


@frozen(kw_only=True)
class SessionOptions:
    """How to connect: ``url`` as libpq takes it, ``node`` is the name of this process."""

    url: str
    node: str
    is_writer: bool = False
    is_starting: bool = False
    """Whether the process is no node yet: others that end the sessions of an earlier process must leave this alone."""
    by_index: bool = False
    """Whether its statements read a few rows each."""
    instance: str = ""
    """Tells this process from earlier ones of the same name."""

    @property
    def sender(self) -> str:
        """The process as the sender of notifications."""
        return f"{self.node}/{self.instance}"

    @property
    def application_name(self) -> str:
        """How PostgreSQL shows the session."""
        return f"pushd/{self.node}{' starting' if self.is_starting else ''}"

    def connect(self) -> Connection:
        """Open a session.

        :raises psycopg.Error: if that is not possible.
        :raises StoreRefused: if the server cannot be used by this program.
        """
        connection = Connection.connect(
            self.url,
            autocommit=True,
            row_factory=dict_row,
            prepare_threshold=0,
            application_name=self.application_name,
            connect_timeout=CONNECT_SECONDS,
            target_session_attrs="read-write",
            tcp_user_timeout=10_000,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
        )
        try:
            connection.prepared_max = 500
            # all integers as bigint: else a statement would be prepared for each size of its values
            connection.adapters.register_dumper(int, Int8Dumper)
            self._set(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set(self, connection: Connection) -> None:
        version = connection.info.server_version
        if version < OLDEST_SERVER:
            raise StoreRefused(f"PostgreSQL {version // 10000} is too old; pushd needs {OLDEST_SERVER // 10000}.")
        settings = dict(_SETTINGS)
        if self.by_index:
            settings |= _BY_INDEX
        if self.is_writer:
            settings |= WRITER_SETTINGS
            if version >= 170000:
                settings["transaction_timeout"] = TRANSACTION_TIMEOUT
        with connection.pipeline():
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, FALSE)", (name, value))
            connection.execute(_DURABLE)


@frozen
class Identity:
    """What tells a session from others, and its server from one that has taken over for it."""

    pid: int
    started: str
    timeline: str

    @classmethod
    def of(cls, connection: Connection) -> "Identity":
        """The identity of an open session."""
        row = connection.execute(_IDENTITY).fetchone()
        assert row is not None, "a session finds itself"
        return cls(**row)


_IDENTITY = (
    "SELECT pid, backend_start::text AS started, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline"
    " FROM pg_stat_activity WHERE pid = pg_backend_pid()"
)


_RENAME = "SELECT set_config('application_name', %s, FALSE)"


@define(eq=False)
class Session:
    """A connection that is opened when it is needed, and again after it was lost; used by one thread at a time."""

    options: SessionOptions
    failures: CommitFailures | None = None
    """Logs that the database cannot be reached; None: each caller has to."""
    clock: Callable[[], float] = monotonic
    connection: Connection | None = field(default=None, init=False)
    identity: Identity | None = field(default=None, init=False)
    """Of the connection that was opened last."""
    _retry_at: float = field(default=0.0, init=False)
    _backoff: float = field(default=0.0, init=False)
    _why: str = field(default="", init=False)
    _plans_until: float = field(default=0.0, init=False)
    _keep_plans: float = field(default=FIRST_PLANS, init=False)
    """Seconds for which the next ones are kept."""

    def get(self) -> Connection:
        """The open connection.

        :raises Unavailable: if there is none, and none can be opened now.
        """
        if self.connection is not None and not self.connection.closed:
            self.renew_plans()
            return self.connection
        if self.clock() < self._retry_at:
            raise self._unavailable()
        try:
            self.connection = self.options.connect()
            self.identity = Identity.of(self.connection)
        except (psycopg.Error, StoreRefused) as error:
            self._backoff = min(max(2 * self._backoff, 0.1), MAX_BACKOFF)
            self._retry_at = self.clock() + self._backoff
            self._why = reason(error)
            raise self._unavailable() from error
        self._backoff = 0.0
        self._keep_plans, self._plans_until = 2 * FIRST_PLANS, self.clock() + FIRST_PLANS
        return self.connection

    def renew_plans(self) -> None:
        """Have old plans made anew, with the next use of their statements; to be called between transactions."""
        if self.connection is None or self.clock() <= self._plans_until:
            return
        self._plans_until = self.clock() + self._keep_plans
        self._keep_plans = min(2 * self._keep_plans, MAX_PLANS)
        with suppress(psycopg.Error):  # who uses the connection will find out
            self.connection.execute("DISCARD PLANS")

    def _unavailable(self) -> Unavailable:
        error = Unavailable(f"The database cannot be reached: {self._why}", is_logged=self.failures is not None)
        if self.failures is not None:
            self.failures.failed(error)
        return error

    def has_started(self) -> None:
        """The process is a node from now on.

        :raises Unavailable: if that cannot be shown in the database.
        """
        self.options = evolve(self.options, is_starting=False)
        try:
            self.get().execute(_RENAME, (self.options.application_name,))
        except psycopg.Error as error:
            raise Unavailable(f"Unable to name the session: {reason(error)}") from error

    def close(self) -> None:
        """Close the connection for good."""
        self._why, self._retry_at = "the store is closed.", inf
        self.drop()

    def drop(self) -> None:
        """Close the connection, whatever its state; the next :meth:`get` opens another."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()
