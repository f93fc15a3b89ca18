"""An operation that keeps an executor busy, so that what is submitted meanwhile shares the next commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Signal

from attrs import define, field

from pushd.store.transaction import ITransaction

TIMEOUT = 30.0
"""Seconds after which a test stops waiting for a thread."""


@define(eq=False)
class Blocker:
    """Blocks the thread of an executor until a test lets it continue."""

    _reached: Signal = field(factory=Signal, init=False)
    _released: Signal = field(factory=Signal, init=False)

    @property
    def was_reached(self) -> bool:
        """Whether the operation has begun."""
        return self._reached.is_set()

    def block(self, tx: ITransaction) -> str:
        """The operation that blocks."""
        self._reached.set()
        assert self._released.wait(TIMEOUT)
        return "blocker"

    @contextmanager
    def blocking(self) -> Iterator[None]:
        """The executor is blocked in here, and continues at the end."""
        assert self._reached.wait(TIMEOUT)
        try:
            yield
        finally:
            self._released.set()
