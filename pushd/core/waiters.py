"""Bells: wait until something rings, or for so long."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

K = TypeVar("K", bound=Hashable)


def _stop(heard: Deferred[bool]) -> None:
    heard.callback(False)


@define(eq=False)
class Waiters(Generic[K]):
    """One bell per key, which exists only while somebody listens.

    Take a bell before looking whether to wait: what rings in between is then not missed.
    """

    clock: IReactorTime
    _listening: dict[K, set[Deferred[bool]]] = field(factory=dict, init=False)
    _silent: bool = field(default=False, init=False)

    def listen(self, key: K, seconds: float) -> Deferred[bool]:
        """Fires with True when the key's bell rings, with False after ``seconds`` or when it is cancelled."""
        heard: Deferred[bool] = Deferred(_stop)
        late = self.clock.callLater(0 if self._silent else seconds, heard.callback, False)
        self._listening.setdefault(key, set()).add(heard)

        def forget(result: object) -> object:
            if late.active():
                late.cancel()
            self._forget(key, heard)
            return result

        return heard.addBoth(forget)

    def ring(self, key: K) -> None:
        """Wake all who listen to this key."""
        for heard in self._listening.pop(key, ()):
            heard.callback(True)

    def silence(self) -> None:
        """Let everybody who listens go, as if their time were over, and nobody listen for long from now on."""
        self._silent = True
        for key in list(self._listening):
            for heard in self._listening.pop(key):
                heard.callback(False)

    def __len__(self) -> int:
        return sum(map(len, self._listening.values()))

    def _forget(self, key: K, heard: "Deferred[bool]") -> None:
        others = self._listening.get(key)
        if others is not None:
            others.discard(heard)
            if not others:
                del self._listening[key]
