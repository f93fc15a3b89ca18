"""The life of a simulated Server-Eye container, in what can happen to it."""

from typing import Protocol

from twisted.internet.defer import Deferred

from pushd.dialects.servereye.wire import Message


class Life(Protocol):
    """What happens to a container."""

    def start(self) -> None:
        """Its program starts."""

    def answered(self, message: Message | None) -> None:
        """The poll brought a message, or that there is none."""

    def polled(self) -> None:
        """What the poll brought is seen to."""

    def failed(self) -> None:
        """The poll failed."""

    def died(self) -> None:
        """Its program is gone, and with it all that it had in work or remembered; somebody starts it again."""

    def rested(self) -> None:
        """It is time to poll again."""

    def stop(self) -> None:
        """Its program is stopped."""

    def vanish(self) -> None:
        """Its machine, or the way to the server, is gone."""

    def signed_off(self, poll: Deferred[None] | None) -> None:
        """The server let it go, or cannot be reached."""
