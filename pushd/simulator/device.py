"""What every simulated device can do, whatever it speaks."""

from typing import Protocol

from twisted.internet.defer import Deferred


class Device(Protocol):
    """A simulated device; it may start and go again and again."""

    @property
    def id(self) -> str:
        """Its id in the words of a fleet: ``<dialect>:<its own id>``."""

    def start(self) -> None:
        """Let it poll."""

    def vanish(self) -> None:
        """Let it fall silent at once, whatever it is doing: it says nothing, and holds nothing open."""

    def stop(self) -> Deferred[None]:
        """Let it go, with a goodbye if its dialect has one; fires when it has gone."""
