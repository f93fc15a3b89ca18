"""``python -m pushd.migrate FROM TO [--force]``: moves a fleet from a SQLite file to PostgreSQL, or back.

Prints its progress, and at the end what was moved, as JSON objects, one a line. Exits with 0 if the fleet has moved, 1
if it cannot be moved and nothing was changed, 2 if the arguments are wrong, and 3 if the move stopped on its way.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import asdict, frozen

from pushd.data_dir import DataDir, psycopg_required
from pushd.fsck import inspect
from pushd.model.errors import PushdError, StoreRefused
from pushd.option_values import POSTGRES_SCHEMES
from pushd.store.transfer.ends import IEnd
from pushd.store.transfer.move import EndsDiffer, Moved, Progress, move
from pushd.store.transfer.sqlite_end import opened_sqlite

SQLITE_SCHEME = "sqlite:"

USAGE = "usage: python -m pushd.migrate FROM TO [--force]\n"


@frozen
class Place:
    """Where a database is: a file in its data directory, or the URL of one on PostgreSQL."""

    data_dir: DataDir

    @classmethod
    def of(cls, text: str) -> "Place":
        """The place that an argument names.

        :raises ValueError: if it names none.
        """
        if text.startswith(POSTGRES_SCHEMES):
            return cls(DataDir(Path(), text))
        path = text.removeprefix(SQLITE_SCHEME)
        if path in (text, ""):
            raise ValueError(f"{text} is neither {SQLITE_SCHEME}PATH nor postgresql://...")
        return cls(DataDir(Path(path).parent, path, is_configured=False))

    @property
    def is_postgres(self) -> bool:
        """Whether it is on PostgreSQL."""
        return self.data_dir.is_shared

    def open(self, stack: ExitStack, *, is_target: bool) -> IEnd:
        """Open the database, which no server may use meanwhile.

        :raises StoreRefused: if one does, or it cannot be opened.
        """
        database = self.data_dir.database
        if self.is_postgres:
            with psycopg_required():
                from pushd.store.transfer.postgres_end import opened_postgres
            return stack.enter_context(opened_postgres(database, self.data_dir.shown))
        if not (is_target or Path(database).is_file()):
            raise StoreRefused(f"There is no database {database}.")
        self.data_dir.hold()
        stack.callback(self.data_dir.release)
        remember = self.data_dir.write_history
        return stack.enter_context(opened_sqlite(database, time.time, inspect, remember, is_target=is_target))


def migrate(source: Place, target: Place, *, force: bool = False) -> Moved:
    """Move a fleet.

    :raises StoreRefused: if it cannot be moved, and nothing was changed.
    """
    with ExitStack() as stack:
        ends = source.open(stack, is_target=False), target.open(stack, is_target=True)
        return move(*ends, _report, force=force)


def _report(progress: Progress) -> None:
    _print({"progress": asdict(progress)})


def _print(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Move a fleet; returns the exit code."""
    force = "--force" in arguments
    try:
        source, target = (Place.of(argument) for argument in arguments if argument != "--force")
        if source.is_postgres == target.is_postgres:
            raise ValueError("one of the two databases must be on SQLite, the other one on PostgreSQL")
    except ValueError as error:
        sys.stderr.write(f"{error}\n{USAGE}")
        return 2
    try:
        moved = migrate(source, target, force=force)
    except StoreRefused as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except _stopped_by() as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 3
    _print({"moved": asdict(moved)})
    return 0


def _stopped_by() -> tuple[type[Exception], ...]:
    """What a move may stop with on its way."""
    errors = (EndsDiffer, PushdError, OSError, ValueError, sqlite3.Error)
    try:
        import psycopg
    except ImportError:
        return errors
    return (*errors, psycopg.Error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
