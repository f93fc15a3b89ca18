"""A way to keep a lane busy, so that what is asked of it meanwhile comes together."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Signal

from attrs import define, field

from pushd.store.transaction import ITransaction

PATIENCE = 30.0
"""Seconds after which a test gives up waiting for a thread."""


@define(eq=False)
class Gate:
    """Keeps a lane busy until it is told to go on."""

    _reached: Signal = field(factory=Signal, init=False)
    _opened: Signal = field(factory=Signal, init=False)

    def wait(self, tx: ITransaction) -> str:
        """The operation that waits."""
        self._reached.set()
        assert self._opened.wait(PATIENCE)
        return "gate"

    @contextmanager
    def shut(self) -> Iterator[None]:
        """What is asked of the lane in here waits until the end."""
        assert self._reached.wait(PATIENCE)
        try:
            yield
        finally:
            self._opened.set()
