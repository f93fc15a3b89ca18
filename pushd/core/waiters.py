"""Wait for a key until it is notified, or until a timeout."""

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pushd.lib.cancellable_waits import DeferredWait

K = TypeVar("K", bound=Hashable)


@define(eq=False)
class Waits:
    """Waits that end together, such as those of a token."""

    _waiting: set[Deferred[Any]] = field(factory=set, init=False)
    has_ended: bool = field(default=False, init=False)

    def add(self, waiting: Deferred[Any]) -> None:
        """Call back with False when they end, at once if they have."""
        if self.has_ended:
            waiting.callback(False)
        else:
            self._waiting.add(waiting)

    def discard(self, waiting: Deferred[Any]) -> None:
        """One of them is over."""
        self._waiting.discard(waiting)

    def end(self) -> None:
        """End all."""
        self.has_ended = True
        for waiting in list(self._waiting):
            if not waiting.called:
                waiting.callback(False)

    def __len__(self) -> int:
        return len(self._waiting)


@define(eq=False)
class Waiters(Generic[K]):
    """The waiters of each key.

    Call :meth:`wait` before checking whether there is a reason to wait: a notification in between is then not missed.
    """

    clock: IReactorTime
    waiting: dict[K, set[Deferred[bool]]] = field(factory=dict, init=False)
    """The waiters of each key that has some; only read by others."""
    _closed: bool = field(default=False, init=False)

    def wait(self, key: K, seconds: float, among: Waits | None = None) -> Deferred[bool]:
        """Fires with True when the key is notified, with False after ``seconds`` or when it is cancelled.

        Until then it is in ``among``.
        """
        waiter: DeferredWait[bool] = DeferredWait(lambda cancelled: cancelled.callback(False))
        timeout = self.clock.callLater(0 if self._closed else seconds, waiter.callback, False)
        self.waiting.setdefault(key, set()).add(waiter)
        if among is not None:
            among.add(waiter)

        def clean_up(result: object) -> object:
            if timeout.active():
                timeout.cancel()
            self._discard(key, waiter)
            if among is not None:
                among.discard(waiter)
            return result

        return waiter.addBoth(clean_up)

    def notify(self, key: K) -> None:
        """Wake all waiters of this key."""
        for waiter in self.waiting.pop(key, ()):
            waiter.callback(True)

    def close(self) -> None:
        """End all waits with False, as a timeout does; later ones end at once."""
        self._closed = True
        for key in list(self.waiting):
            for waiter in self.waiting.pop(key):
                waiter.callback(False)

    def __len__(self) -> int:
        return sum(map(len, self.waiting.values()))

    def _discard(self, key: K, waiter: "Deferred[bool]") -> None:
        waiters = self.waiting.get(key)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self.waiting[key]
