"""How long this process may go by what it owned when it last asked the store."""

from collections.abc import Callable
from math import inf

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall

from pushd.core.clocks import Clocks
from pushd.store.ownership import OWNED_SECONDS, RENEW_SECONDS

MARGIN = 5.0
"""Seconds by which a process stops before others may take over: the database's clock may go differently."""

CHECK_SECONDS = 1.0
"""How often to check whether a renewal is due."""


@define(eq=False)
class OwnershipTerm:
    """The term of an ownership. It is measured from before the store was asked, by a clock that also counts while the
    machine is suspended; if it is not renewed in time, ``on_end`` is called. Of the only process it has no end.
    """

    clocks: Clocks
    is_shared: bool
    on_end: Callable[[], None]
    _end: float = field(default=-inf, init=False)
    """In seconds of ``clocks.uptime``, like the next."""
    _renew_at: float = field(default=-inf, init=False)
    _is_requested: bool = field(default=False, init=False)
    """Whether there was a reason to ask since the store was asked last."""
    _timer: IDelayedCall | None = field(default=None, init=False)

    def has_ended(self) -> bool:
        """Whether other processes may have taken over."""
        return self.clocks.uptime() >= self._end

    def is_due(self) -> bool:
        """Whether to ask the store again."""
        return self._is_requested or self.clocks.uptime() >= self._renew_at

    def ask(self) -> float:
        """The store is asked now; the moment in seconds of ``clocks.uptime``."""
        self._is_requested = False
        return self.clocks.uptime()

    def make_due(self) -> None:
        """Ask the store again soon: there may be more to own."""
        self._is_requested = True

    def renew(self, asked_at: float) -> None:
        """The store has confirmed it after it was asked at that moment."""
        self.cancel()
        self._end = asked_at + OWNED_SECONDS - MARGIN if self.is_shared else inf
        self.wait(asked_at)
        if self.is_shared:
            left = max(self._end - self.clocks.uptime(), 0)
            self._timer = self.clocks.clock.callLater(left, self._call_on_end)

    def wait(self, asked_at: float) -> None:
        """Ask again in a while."""
        self._renew_at = asked_at + RENEW_SECONDS if self.is_shared else inf

    def cancel(self) -> None:
        """End the term without a call."""
        self._end = -inf
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _call_on_end(self) -> None:
        self._timer = None
        self.on_end()
