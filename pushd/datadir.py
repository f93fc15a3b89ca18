"""
The data directory: everything that one process keeps, and nobody else touches meanwhile.
"""

import fcntl
import os
from io import TextIOWrapper
from pathlib import Path

from attrs import define, field

from pushd.model.errors import StoreRefused


@define(eq=False)
class DataDir:
    """
    A directory that one process holds at a time.
    """

    path: Path
    _lock: TextIOWrapper | None = field(default=None, init=False)

    def hold(self) -> None:
        """
        Make the directory if it is not there, and hold it until :meth:`release`, or the end of the process.

        :raises StoreRefused: if another process holds it, or it cannot be written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.path / "pushd.lock").open("w", encoding="ascii")
        except OSError as error:
            raise StoreRefused(f"The data directory {self.path} cannot be used: {error.strerror}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            held = isinstance(error, BlockingIOError)
            why = "is held by another process" if held else f"cannot be locked: {error.strerror}"
            raise StoreRefused(f"The data directory {self.path} {why}.") from error
        self._lock = lock

    def release(self) -> None:
        """
        Let another process have it.
        """
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def database(self) -> Path:
        """
        Where SQLite keeps the state.
        """
        return self.path / "pushd.sqlite"

    def read_token(self) -> str | None:
        """
        The admin's token, if there is one.
        """
        try:
            return self._token.read_text("ascii").strip() or None
        except (OSError, ValueError):
            return None

    def write_token(self, secret: str) -> Path:
        """
        Keep the admin's token where only its owner can read it; written as a whole or not at all.

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
