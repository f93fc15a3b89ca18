"""The data directory: its lock, the lock of the database, and the file of the admin token."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from attrs import define, field

from pushd.lib import private_files
from pushd.model.errors import StoreRefused
from pushd.option_values import POSTGRES_SCHEMES
from pushd.store.filters import History
from pushd.store.sqlite.store import MEMORY

LOCK = "pushd.lock"
"""The file that a running server has locked."""

HISTORY = "history"
"""The file with the newest epoch and event of the database: one without them is a copy."""

_HISTORY = re.compile(rb"([0-9a-f]{12}) ([0-9]{19})\n")


@define(eq=False)
class Lock:
    """A lock file that one process holds at a time; ``what`` names the locked thing in error messages, and ``option``
    the option that names another one, if there is one.
    """

    path: Path
    what: str
    option: str = ""
    _file: TextIOWrapper | None = field(default=None, init=False)

    def hold(self) -> None:
        """Lock the file until :meth:`release`, or until the process ends.

        :raises StoreRefused: if another process holds the lock, or the file cannot be locked.
        """
        try:
            file = _open_private(self.path)
        except OSError as error:
            raise StoreRefused(f"{self.what} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            held = isinstance(error, BlockingIOError)
            why = self._held if held else f"cannot be locked: {error.strerror}"
            raise StoreRefused(f"{self.what} {why}.") from error
        self._file = file

    @property
    def _held(self) -> str:
        """Without a process id: that of a daemon changes after it has locked, and a container has its own ids."""
        other = f", or use another {self.option}" if self.option else ""
        return f"is held by another process: stop that first{other}"

    def release(self) -> None:
        """Unlock the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


@define(eq=False)
class DataDir:
    """The data directory and its database, which is elsewhere if ``store`` is given; one process holds both, unless
    the database is on PostgreSQL.
    """

    path: Path
    store: str | None = None
    """A file, or the URL of a database on PostgreSQL."""
    is_configured: bool = True
    """Whether ``--data-dir`` and ``--store`` name the two: then errors name these options."""
    _locks: list[Lock] = field(factory=list, init=False)
    _history: int | None = field(default=None, init=False)
    """The descriptor of the open history file."""

    def hold(self) -> None:
        """Lock the directory, which is created if it is missing, and the database.

        Both stay locked until :meth:`release`, or until the process ends.

        :raises StoreRefused: if another process holds one of them, or the directory cannot be created or written.
        """
        if self._locks:
            return
        what = f"The data directory {self.path}"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreRefused(f"{what} cannot be used: {error.strerror}.") from error
        self._hold(Lock(self.path / LOCK, what, self._option("--data-dir")))
        if self.database == MEMORY or self.is_shared:
            return
        # beside the real file: another process may name it by another path
        path = Path(f"{os.path.realpath(self.database)}.lock")
        self._hold(Lock(path, f"The store {self.database}", self._option("--store")))

    def hold_early(self) -> None:
        """Lock both before the process listens. If it is still root, and becomes another user later, a directory that
        does not exist yet is left to :meth:`hold`: it must belong to that user.

        :raises StoreRefused: as :meth:`hold`.
        """
        if os.geteuid() != 0 or self.path.is_dir():
            self.hold()

    def release(self) -> None:
        """Unlock both, and close the history."""
        if self._history is not None:
            os.close(self._history)
            self._history = None
        while self._locks:
            self._locks.pop().release()

    @property
    def database(self) -> str:
        """The path of the SQLite file, or the URL of the database."""
        return self.store or str(self.path / "pushd.sqlite")

    @property
    def is_shared(self) -> bool:
        """Whether the database is on PostgreSQL, where several processes may use it."""
        return self.database.startswith(POSTGRES_SCHEMES)

    @property
    def shown(self) -> str:
        """The database as messages name it: a URL without user and password."""
        if not self.is_shared:
            return self.database
        url = urlsplit(self.database)
        return urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))

    def _option(self, name: str) -> str:
        return name if self.is_configured else ""

    def _hold(self, lock: Lock) -> None:
        try:
            lock.hold()
        except StoreRefused:
            self.release()
            raise
        self._locks.append(lock)

    def check_database(self) -> None:
        """Check that a database is there, if there was one: an admin token in use belongs to one.

        :raises StoreRefused: if it is missing or empty.
        """
        database = Path(self.database)
        if self.database == MEMORY or self.is_shared or not self.is_used:
            return
        with suppress(OSError):
            if database.stat().st_size > 0:
                return
        what = "is empty" if database.exists() else "is missing"
        raise StoreRefused(
            f"{database} {what}, but {self.token_path} was used with a database."
            " Restore it, or start with --new to make a new one."
        )

    @property
    def is_used(self) -> bool:
        """Whether the directory was used with a database: then its admin token is there."""
        return self.token_path.exists()

    def check_contents(self, *, new: bool, has_devices: bool, knows_token: bool) -> None:
        """Check what the database has, now that it is open; ``knows_token``: the one in the file, if there is one.

        :raises StoreRefused: if it is not what ``--new`` says, or not the one that the directory was used with.
        """
        if new and has_devices:
            raise StoreRefused(f"{self.shown} has devices; start without --new.")
        if not knows_token:
            raise StoreRefused(
                f"{self.shown} does not know the token in {self.token_path}: it is another database, or a part of"
                " it such as its -wal file is missing; then restore it. Or the server was killed while that token was"
                " rotated; then start once with --new-token."
            )

    def read_token(self) -> str | None:
        """The admin token in the file; None if there is no such file.

        :raises StoreRefused: if the file cannot be read, or holds no token.
        """
        try:
            token = self.token_path.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreRefused(f"{self.token_path} cannot be read: {error.strerror}.") from error
        except ValueError:
            token = ""
        if not token:
            raise StoreRefused(f"{self.token_path} holds no token; delete the file to have a new token made.")
        return token

    def write_token(self, secret: str) -> Path:
        """Write the admin token to a file that only its owner can read, atomically; return its path.

        :raises StoreRefused: if it cannot be written.
        """
        try:
            private_files.replace(self.token_path, f"{secret}\n")
        except OSError as error:
            raise StoreRefused(f"{self.token_path} cannot be written: {error.strerror}.") from error
        return self.token_path

    def delete_token(self) -> None:
        """Delete the file of the admin token, durably, if there is one.

        :raises StoreRefused: if it cannot be deleted.
        """
        try:
            self.token_path.unlink(missing_ok=True)
            private_files.sync_directory(self.path)
        except OSError as error:
            raise StoreRefused(f"{self.token_path} cannot be deleted: {error.strerror}.") from error

    def read_history(self) -> History:
        """What the directory knows of its database; nothing, if the file is missing or not readable as such.

        :raises StoreRefused: if the file cannot be read.
        """
        path = self.path / HISTORY
        try:
            match = _HISTORY.fullmatch(path.read_bytes())
        except FileNotFoundError:
            return History()
        except OSError as error:
            raise StoreRefused(f"{path} cannot be read: {error.strerror}.") from error
        return History() if match is None else History(match[1].decode(), int(match[2]))

    def write_history(self, history: History) -> None:
        """Write the newest epoch and event: the first time durably; then in place and without waiting for the disk,
        as a number that is too low does no harm.

        :raises StoreRefused: if it cannot be written.
        """
        record = f"{history.epoch} {history.number:019d}\n".encode("ascii")
        path = self.path / HISTORY
        try:
            if self._history is None:
                new = path.with_suffix(".new")
                new.unlink(missing_ok=True)
                created = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                try:
                    os.write(created, record)
                    os.fsync(created)
                    new.rename(path)
                    private_files.sync_directory(
                        self.path
                    )  # else a power cut leaves a used database without a history
                except OSError:
                    os.close(created)
                    raise
                self._history = created
            else:
                os.pwrite(self._history, record, 0)
        except OSError as error:
            raise StoreRefused(f"{path} cannot be written: {error.strerror}.") from error

    @property
    def token_path(self) -> Path:
        """The file of the admin token."""
        return self.path / "admin.token"


def _open_private(path: Path) -> TextIOWrapper:
    """Open a file for writing that only its owner may read, whatever the umask; root gives it to the owner of the
    directory, whose process opens it next time.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with suppress(OSError):  # the file of another user
        os.fchmod(descriptor, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return os.fdopen(descriptor, "w", encoding="ascii")


@contextmanager
def psycopg_required() -> Iterator[None]:
    """Around an import that needs psycopg, which is optional.

    :raises StoreRefused: if it is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise StoreRefused(f"PostgreSQL needs psycopg: pip install 'pushd[postgres]' ({error}).") from error
