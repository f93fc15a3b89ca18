"""The disk of the server's database: power cuts, writes and syncs that fail; ``faulty_disk.c`` runs in the server."""

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from attrs import define, field

from tests.harness.c_compiler import compile_library

SOURCE = Path(__file__).with_name("faulty_disk.c")

_UNDO = struct.Struct("=QQQ")
"""The offset and the number of the bytes that follow, and the size of the file."""

_PAGE = 4096

_KEPT_SHARES = (0.0, 0.0, 0.5, 0.9)
"""After a power cut, so many of the unsynced pages of a file are on the disk: often none, never all."""


@define(eq=False)
class FaultyDisk:
    """Preloads the library into a server, and causes what it can do."""

    database: Path
    notes: Path
    """Where the library notes what is not synced."""
    library: Path
    chance: Random
    power_cuts: int = field(default=0, init=False)

    @classmethod
    def make(cls, database: Path, chance: Random) -> "FaultyDisk":
        """Compile the library.

        :raises CannotCompile: if that is not possible.
        """
        notes = database.parent.with_name("disk")
        notes.mkdir()
        return cls(Path(os.path.realpath(database)), notes, compile_library(SOURCE, notes), chance)

    def variables(self) -> Mapping[str, str]:
        """The environment variables with which a program uses this disk."""
        return {
            "LD_PRELOAD": str(self.library),
            "CRASH_DATABASE": str(self.database),
            "CRASH_DISK": str(self.notes),
        }

    @contextmanager
    def full(self) -> Iterator[None]:
        """Writes to the database fail in this context, as on a full disk."""
        with self._fault("full"):
            yield

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Syncs of the database fail in this context; what was written is there, until the power is cut."""
        with self._fault("failing"):
            yield

    def suspend_after(self, text: str) -> None:
        """Have the server stop itself after the next sync of a write to the database that contains this text."""
        (self.notes / "suspend").write_text(text, "ascii")

    @contextmanager
    def _fault(self, name: str) -> Iterator[None]:
        fault = self.notes / name
        fault.touch()
        try:
            yield
        finally:
            fault.unlink()

    def cut_power(self) -> None:
        """Undo what was not synced; the server must have ended."""
        self.power_cuts += 1
        for log in self.notes.glob("inode-*"):
            self._undo_writes(log)
            log.unlink()
        log = self.notes / "directory"
        if log.exists():
            self._undo_names(log.read_text("utf-8").splitlines())
            log.unlink()

    def _undo_writes(self, log: Path) -> None:
        inode = int(log.name.partition("-")[2])
        for file in (*self.database.parent.iterdir(), *self.notes.glob("kept-*")):
            if file.stat().st_ino == inode:
                written = file.read_bytes()
                file.write_bytes(self._keep_some(written, undone(written, log.read_bytes())))
                return

    def _keep_some(self, written: bytes, synced: bytes) -> bytes:
        """What is on the disk: a disk may write pages before they are synced, in any order."""
        share = self.chance.choice(_KEPT_SHARES)
        found = bytearray(synced)
        for start in range(0, len(written), _PAGE):
            page = written[start : start + _PAGE]
            if page != synced[start : start + _PAGE] and self.chance.random() < share:
                found.extend(bytes(max(start - len(found), 0)))
                found[start : start + len(page)] = page
        return bytes(found)

    def _undo_names(self, lines: list[str]) -> None:
        """Undo the newest of what was done to the directory, or all: file systems do that in order."""
        undone_lines = lines[self.chance.choice((0, 0, self.chance.randint(0, len(lines)))) :]
        for line in reversed(undone_lines):
            did, name, old_name, kept_name = line.split()
            path, old, kept = self.database.with_name(name), self.database.with_name(old_name), self.notes / kept_name
            if did == "created":
                path.unlink(missing_ok=True)
            elif did == "renamed" and not old.exists():
                path.rename(old)
            if did != "created" and kept_name != "-" and not path.exists():
                path.hardlink_to(kept)


def undone(written: bytes, log: bytes) -> bytes:
    """The bytes of a file without the writes in a log, whose last record may be incomplete."""
    found, start, records = bytearray(written), 0, []
    while start + _UNDO.size <= len(log):
        offset, length, size = _UNDO.unpack_from(log, start)
        start += _UNDO.size + length
        if start <= len(log):
            records.append((offset, log[start - length : start], size))
    for offset, before, size in reversed(records):
        found.extend(bytes(max(size - len(found), 0)))
        found[offset : offset + len(before)] = before
        del found[size:]
    return bytes(found)
