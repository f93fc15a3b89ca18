"""Files that only their owner may read, from their first byte on."""

import os
from pathlib import Path
from typing import TextIO

MODE = 0o600


def open_new(path: Path) -> TextIO:
    """Create a file, whatever the umask.

    :raises OSError: if it exists, or cannot be created.
    """
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8")


def write(file: TextIO, text: str) -> None:
    """Append to a file, so that the text is there after a crash.

    :raises OSError: if it cannot be written.
    """
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def replace(path: Path, text: str) -> None:
    """Write a file, in place of what is there; a crash, also of the machine, leaves the one or the other.

    :raises OSError: if it cannot be written.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)  # of a process that had the same number, and was killed
    try:
        with open_new(new) as file:
            write(file, text)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Write the entries of a directory to the disk; else a power cut takes back what was done to them.

    :raises OSError: if that fails.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
