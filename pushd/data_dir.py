"""The data directory: its lock, the lock of the database, and the file of the admin token."""

import fcntl
import os
from io import TextIOWrapper
from pathlib import Path

from attrs import define, field

from pushd.model.errors import StoreRefused
from pushd.store.sqlite.store import MEMORY


@define(eq=False)
class Lock:
    """A lock file that one process holds at a time; ``what`` names the locked thing in error messages."""

    path: Path
    what: str
    _file: TextIOWrapper | None = field(default=None, init=False)

    def hold(self) -> None:
        """Lock the file until :meth:`release`, or until the process ends.

        :raises StoreRefused: if another process holds the lock, or the file cannot be locked.
        """
        try:
            file = self.path.open("w", encoding="ascii")
        except OSError as error:
            raise StoreRefused(f"{self.what} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            held = isinstance(error, BlockingIOError)
            why = "is held by another process" if held else f"cannot be locked: {error.strerror}"
            raise StoreRefused(f"{self.what} {why}.") from error
        self._file = file

    def release(self) -> None:
        """Unlock the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


@define(eq=False)
class DataDir:
    """The data directory and its database, which is elsewhere if ``store`` is given; one process holds both."""

    path: Path
    store: str | None = None
    _locks: list[Lock] = field(factory=list, init=False)

    def hold(self) -> None:
        """Lock the directory, which is created if it is missing, and the database.

        Both stay locked until :meth:`release`, or until the process ends.

        :raises StoreRefused: if another process holds one of them, or the directory cannot be created or written.
        """
        what = f"The data directory {self.path}"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreRefused(f"{what} cannot be used: {error.strerror}.") from error
        self._hold(Lock(self.path / "pushd.lock", what))
        if self.database == MEMORY:
            return
        # beside the real file: another process may name it by another path
        self._hold(Lock(Path(f"{os.path.realpath(self.database)}.lock"), f"The store {self.database}"))

    def release(self) -> None:
        """Unlock both."""
        while self._locks:
            self._locks.pop().release()

    @property
    def database(self) -> str:
        """The path of the SQLite file."""
        return self.store or str(self.path / "pushd.sqlite")

    def _hold(self, lock: Lock) -> None:
        try:
            lock.hold()
        except StoreRefused:
            self.release()
            raise
        self._locks.append(lock)

    def read_token(self) -> str | None:
        """The admin token in the file; None if there is no such file, or no token in it."""
        try:
            return self._token.read_text("ascii").strip() or None
        except (OSError, ValueError):
            return None

    def write_token(self, secret: str) -> Path:
        """Write the admin token to a file that only its owner can read, atomically; return its path.

        :raises StoreRefused: if it cannot be written.
        """
        new = self._token.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secret + "\n")
                file.flush()
                os.fsync(file.fileno())
            new.rename(self._token)
        except OSError as error:
            raise StoreRefused(f"{self._token} cannot be written: {error.strerror}.") from error
        return self._token

    @property
    def _token(self) -> Path:
        return self.path / "admin.token"
