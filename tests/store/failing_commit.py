"""A connection to a database on a disk that fails."""

import sqlite3
from typing import Any


class FailingCommit:
    """A connection whose COMMIT fails, as on a disk that cannot sync unless another error is given.

    ``ends_with``: what COMMIT does before, so what is found when the database is opened again.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        error: str = "disk I/O error",
        code: int = sqlite3.SQLITE_IOERR_FSYNC,
        ends_with: str = "ROLLBACK",
    ) -> None:
        self._connection = connection
        self._error = error
        self._code = code
        self._ends_with = ends_with

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement, unless it is COMMIT."""
        if sql == "COMMIT":
            self._connection.execute(self._ends_with)
            error = sqlite3.OperationalError(self._error)
            error.sqlite_errorcode = self._code
            raise error
        return self._connection.execute(sql, *values)
