"""Wait for a key until it is notified, or until a timeout."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pushd.lib.cancellable_waits import DeferredWait

K = TypeVar("K", bound=Hashable)


@define(eq=False)
class Waiters(Generic[K]):
    """The waiters of each key.

    Call :meth:`wait` before checking whether there is a reason to wait: a notification in between is then not missed.
    """

    clock: IReactorTime
    _waiting: dict[K, set[Deferred[bool]]] = field(factory=dict, init=False)
    _closed: bool = field(default=False, init=False)

    def wait(self, key: K, seconds: float) -> Deferred[bool]:
        """Fires with True when the key is notified, with False after ``seconds`` or when it is cancelled."""
        waiter: DeferredWait[bool] = DeferredWait(lambda cancelled: cancelled.callback(False))
        timeout = self.clock.callLater(0 if self._closed else seconds, waiter.callback, False)
        self._waiting.setdefault(key, set()).add(waiter)

        def clean_up(result: object) -> object:
            if timeout.active():
                timeout.cancel()
            self._discard(key, waiter)
            return result

        return waiter.addBoth(clean_up)

    def notify(self, key: K) -> None:
        """Wake all waiters of this key."""
        for waiter in self._waiting.pop(key, ()):
            waiter.callback(True)

    def close(self) -> None:
        """End all waits with False, as a timeout does; later ones end at once."""
        self._closed = True
        for key in list(self._waiting):
            for waiter in self._waiting.pop(key):
                waiter.callback(False)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _discard(self, key: K, waiter: "Deferred[bool]") -> None:
        waiters = self._waiting.get(key)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self._waiting[key]
