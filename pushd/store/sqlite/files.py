"""The files of an open database, and those that a start would open."""

import os
from collections.abc import Mapping
from typing import Self

from attrs import define, field
from twisted.logger import Logger

from pushd.model.errors import Unavailable


@define(eq=False)
class DatabaseFiles:
    """The files of an open database; what is committed to one that was deleted or replaced is lost."""

    _opened: Mapping[str, tuple[int, int]]
    """By path, the device and inode of the file that is open."""
    _fault: str | None = field(default=None, init=False)
    """What was logged."""
    _log = Logger()

    @classmethod
    def of(cls, path: str) -> Self:
        """The files of a database that is open, and in which a transaction has run, so that its ``-wal`` file exists.

        :raises Unavailable: if one of them is missing already.
        """
        paths = path, f"{os.path.realpath(path)}-wal"
        try:
            return cls({each: _identity(os.stat(each)) for each in paths})
        except OSError as error:
            raise Unavailable(f"{error.filename}: {error.strerror}") from error

    def reopened(self) -> Self:
        """The files after the database was closed and opened again: SQLite may have made its ``-wal`` file anew.

        :raises Unavailable: if the database itself is another file, or is missing.
        """
        path = next(iter(self._opened))
        found = self.of(path)
        if found._opened[path] != self._opened[path]:
            raise Unavailable(f"{path} was replaced by another file.")
        return found

    def check(self, *, is_open: bool = True) -> None:
        """Compare the open files with those at their paths; the first time that they differ is logged.

        :param is_open: whether the database is open, so that its ``-wal`` file must be there.
        :raises Unavailable: if one was deleted, replaced or emptied.
        """
        fault = self._find_fault(is_open)
        if fault != self._fault:
            self._fault = fault
            if fault is None:
                self._log.info("The files of the database are back; it is written to again")
            else:
                why = "nothing is stored until the file is back or the server is started again"
                self._log.error("{fault}: {why}", fault=fault, why=why)
        if fault is not None:
            raise Unavailable(f"{fault}.", is_logged=True)

    def _find_fault(self, is_open: bool) -> str | None:
        for path, opened in self._opened.items():
            is_log = path.endswith("-wal")
            if is_log and not is_open:
                continue
            try:
                found = os.stat(path)
            except OSError as error:
                missing = isinstance(error, FileNotFoundError)
                return f"{path} was deleted" if missing else f"{path} cannot be reached: {error.strerror}"
            if _identity(found) != opened:
                return f"{path} was replaced by another file"
            if found.st_size == 0 and not is_log:  # other programs may empty that one: a checkpoint
                return f"{path} was emptied"
        return None


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
