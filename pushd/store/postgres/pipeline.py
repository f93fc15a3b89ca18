"""Statements that go to PostgreSQL together, and are answered together: one round trip, however many they are.

They are written with libpq itself. psycopg's own pipelines take as much CPU time again for each statement, and most of
all for each row that one of them is run for: here the values of all rows are arrays.

A transaction that uses them is rolled back by them: after a ROLLBACK, psycopg forgets all prepared statements of its
session.
"""

import select
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import errors
from psycopg.adapt import Transformer
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from pushd.store.postgres.session import Connection

Values = Sequence[bytes | None]
"""The parameters of a statement, as text."""


class Request(NamedTuple):
    """A statement, with ``$1`` for its first parameter, and its values; it is prepared once in each session."""

    sql: bytes
    values: Values = ()


Rows = list[tuple[Any, ...]]

_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)
_ABORTED = ExecStatus.PIPELINE_ABORTED


def exchange(connection: Connection, requests: Sequence[Request]) -> list[Rows]:
    """Run statements, of which none may depend on the answer to another; the rows that each of them returns.

    The last one ends with a Sync, so that a session which then goes silent in its transaction is ended by PostgreSQL.

    :raises psycopg.Error: the first that fails; those behind it are not run.
    """
    return [to_rows(connection, result) for result in exchange_results(connection, requests)]


def exchange_results(connection: Connection, requests: Sequence[Request]) -> list[PGresult]:
    """The same, with what libpq returns."""
    pgconn, prepared = connection.pgconn, dict(connection.prepared)
    try:
        pgconn.enter_pipeline_mode()
        answers: list[bool] = []
        for sql, values in requests:
            name = prepared.get(sql)
            if name is None:
                name = prepared[sql] = connection.new_name()
                pgconn.send_prepare(name, sql)
                answers.append(False)
            pgconn.send_query_prepared(name, values)
            answers.append(True)
        pgconn.pipeline_sync()
        results = _receive(pgconn)
        pgconn.exit_pipeline_mode()
    except psycopg.Error:
        connection.close()  # whatever its state is now
        raise
    for result in results:
        if result.status in _FAILED:
            raise errors.error_from_result(result)
    connection.prepared = prepared
    return [result for result, is_answer in zip(results, answers, strict=True) if is_answer]


def _receive(pgconn: PGconn) -> list[PGresult]:
    """Send what is waiting, and receive all results up to that of the Sync."""
    results: list[PGresult] = []
    poll, is_sending = select.poll(), pgconn.flush()
    poll.register(pgconn.socket, select.POLLIN | (select.POLLOUT if is_sending else 0))
    while True:
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is not None:
                if result.status == ExecStatus.PIPELINE_SYNC:
                    return results
                results.append(result)
            elif pgconn.status != ConnStatus.OK:
                raise psycopg.OperationalError(pgconn.get_error_message())
        poll.poll()
        pgconn.consume_input()
        if is_sending:
            is_sending = pgconn.flush()
            poll.modify(pgconn.socket, select.POLLIN | (select.POLLOUT if is_sending else 0))


def to_rows(connection: Connection, result: PGresult) -> Rows:
    """The rows of a result."""
    if not result.ntuples:
        return []
    transformer = Transformer(connection)
    transformer.set_pgresult(result)
    return transformer.load_rows(0, result.ntuples, tuple)


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bytes(value: bytes) -> str:
    return f'"\\\\x{value.hex()}"'


_WRITERS: dict[str, Callable[[Any], str]] = {
    "text": _text,
    "bigint": str,
    "double precision": repr,
    "boolean": str,
    "bytea": _bytes,
}
"""By type, what writes an element of an array."""


def array(kind: str, values: Sequence[Any]) -> bytes:
    """An array of a type.

    :raises psycopg.DataError: if one of the values cannot be stored.
    """
    if values.count(None) == len(values):
        items = ["NULL"] * len(values)
    else:
        write = _WRITERS[kind]
        items = ["NULL" if value is None else write(value) for value in values]
    return to_text("{" + ",".join(items) + "}")


def to_text(value: str) -> bytes:
    """A parameter.

    :raises psycopg.DataError: if it cannot be stored.
    """
    if "\0" in value:
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise psycopg.DataError(f"PostgreSQL cannot store half of a surrogate pair: {error.reason}") from error
