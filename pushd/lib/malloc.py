"""The memory that the C library keeps when it is freed: glibc is tuned to return it, others are left as they are."""

from collections.abc import Callable
from contextlib import suppress
from ctypes import CDLL

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

OWN_MAPPING = 256 * 1024
"""Bytes from which on a block of memory is a mapping of its own, which is returned when it is freed."""

TRIM_SECONDS = 1.0
"""The shortest time between two trims, and the longest for which freed memory is kept."""

_M_MMAP_THRESHOLD = -3
"""The number of the parameter in glibc's ``malloc.h``."""


def map_large_blocks() -> None:
    """Have large blocks returned to the system as soon as they are freed.

    By default glibc learns from the first large block that such blocks are usual, and keeps the next ones for reuse:
    hundreds of megabytes.
    """
    with suppress(AttributeError, OSError):
        CDLL(None).mallopt(_M_MMAP_THRESHOLD, OWN_MAPPING)


def trim() -> None:
    """Return what is free between the smaller blocks, of all threads, to the system; takes some milliseconds."""
    with suppress(AttributeError, OSError):
        CDLL(None).malloc_trim(0)


@define(eq=False)
class Trimmer:
    """Trims in a thread, soon after large bodies have been freed: they arrive in pieces, which are small blocks."""

    clock: IReactorTime
    in_thread: Callable[[Callable[[], None]], Deferred[None]]
    _timer: IDelayedCall | None = field(default=None, init=False)

    def schedule(self) -> None:
        """Memory was freed: trim after :data:`TRIM_SECONDS`, once for all that is freed until then."""
        if self._timer is None:
            self._timer = self.clock.callLater(TRIM_SECONDS, self._trim)

    def _trim(self) -> None:
        self._timer = None
        self.in_thread(trim)
