"""Paths of URLs: as one path however slashes are repeated, and as they may be shown."""

import re
from urllib.parse import unquote_to_bytes

from pushd.lib.text import shortened

MAX_PATH = 128
"""Characters of a path that are shown."""

_REDACTED = b"***"

_REPEATED_SLASHES = re.compile(rb"//+")
_SECRET_LIKE = re.compile(rb"[A-Za-z0-9_-]{16}")
"""Found in a segment that may be a secret."""


def merge_slashes(path: bytes) -> bytes:
    """A path in which repeated slashes are one."""
    return _REPEATED_SLASHES.sub(b"/", path) if b"//" in path else path


def redacted(path: bytes) -> str:
    """A path as it may be shown: in printable ASCII, short, and without what may be a secret.

    ``***`` replaces each segment behind ``d``, each in which 16 letters, digits, ``-`` or ``_`` follow each other, and
    each of more than :data:`MAX_PATH` bytes.
    """
    segments = merge_slashes(path).split(b"/", MAX_PATH)[:MAX_PATH]
    shown = [
        _REDACTED if before == b"d" or _may_be_secret(segment) else segment
        for before, segment in zip([b"", *segments], segments, strict=False)
    ]
    return shortened(b"/".join(shown).decode("ascii", "backslashreplace"), MAX_PATH)


def _may_be_secret(segment: bytes) -> bool:
    return len(segment) > MAX_PATH or _SECRET_LIKE.search(unquote_to_bytes(segment)) is not None
