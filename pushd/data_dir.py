"""The data directory: everything that one process keeps, and nobody else touches meanwhile."""

import fcntl
import os
from io import TextIOWrapper
from pathlib import Path

from attrs import define, field

from pushd.model.errors import StoreRefused
from pushd.store.sqlite.store import MEMORY


@define(eq=False)
class Lock:
    """A file that one process holds at a time, for ``what`` as people call it."""

    path: Path
    what: str
    _file: TextIOWrapper | None = field(default=None, init=False)

    def hold(self) -> None:
        """Hold it until :meth:`release`, or the end of the process.

        :raises StoreRefused: if another process holds it, or it cannot be held.
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
        """Let another process have it."""
        if self._file is not None:
            self._file.close()
            self._file = None


@define(eq=False)
class DataDir:
    """A directory that one process holds at a time, and with it the database, which may be elsewhere: ``store``."""

    path: Path
    store: str | None = None
    _locks: list[Lock] = field(factory=list, init=False)

    def hold(self) -> None:
        """Make the directory if it is not there, and hold it and the database until :meth:`release`, or the end of the
        process.

        :raises StoreRefused: if another process holds one of them, or it cannot be written.
        """
        what = f"The data directory {self.path}"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreRefused(f"{what} cannot be used: {error.strerror}.") from error
        self._hold(Lock(self.path / "pushd.lock", what))
        if self.database == MEMORY:
            return
        # beside the file itself, whatever link leads to it: others may name it as their --store
        self._hold(Lock(Path(f"{os.path.realpath(self.database)}.lock"), f"The store {self.database}"))

    def release(self) -> None:
        """Let another process have them."""
        while self._locks:
            self._locks.pop().release()

    @property
    def database(self) -> str:
        """Where SQLite keeps the state."""
        return self.store or str(self.path / "pushd.sqlite")

    def _hold(self, lock: Lock) -> None:
        try:
            lock.hold()
        except StoreRefused:
            self.release()
            raise
        self._locks.append(lock)

    def read_token(self) -> str | None:
        """The admin's token, if there is one."""
        try:
            return self._token.read_text("ascii").strip() or None
        except (OSError, ValueError):
            return None

    def write_token(self, secret: str) -> Path:
        """Keep the admin's token where only its owner can read it; written as a whole or not at all.

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
