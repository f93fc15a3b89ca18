"""Files with secrets, whose errors an operator can understand."""

import os
from pathlib import Path
from typing import TextIO

from pushd.lib import private_files
from pushd.pushctl.errors import Misconfigured


def check_new(path: Path) -> None:
    """Refuse a file that cannot be created, before there is something to write to it.

    :raises Misconfigured: if it exists, or its directory does not.
    """
    if path.exists():
        raise _exists(path)
    if not os.access(path.parent, os.W_OK):
        raise Misconfigured(f"cannot write {path}: {path.parent} is not a directory that you can write to")


def _exists(path: Path) -> Misconfigured:
    return Misconfigured(f"{path} exists; secrets go to a new file only: choose another name")


def create(path: Path, text: str) -> None:
    """Write a new file.

    :raises Misconfigured: if it exists, or cannot be written.
    """
    with open_new(path) as file:
        write(path, file, text)


def open_new(path: Path) -> TextIO:
    """Create a file.

    :raises Misconfigured: if it exists, or cannot be created.
    """
    try:
        return private_files.open_new(path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise _unwritable(path, error) from None


def write(path: Path, file: TextIO, text: str) -> None:
    """Append to a file that was created, so that it is there after a crash.

    :raises Misconfigured: if that fails.
    """
    try:
        private_files.write(file, text)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> Misconfigured:
    return Misconfigured(f"cannot write {path}: {error.strerror}")


def replace(path: Path, text: str) -> None:
    """Write a file, in place of what is there; a crash leaves the one or the other.

    :raises Misconfigured: if it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.replace(path, text)
    except OSError as error:
        raise _unwritable(path, error) from None
