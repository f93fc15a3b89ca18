"""The processes that share a database: which of them serves a device, and whether this one still belongs to them."""

from collections.abc import Callable, Sequence
from math import inf
from socket import gethostname

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import Interface, implementer

from pushd.model.device import PresenceState
from pushd.model.timestamps import Now

NOT_HEARD = "This process hears of no changes that others make, so it cannot know which tokens are valid."

OnMove = Callable[[str, bool], None]
"""Called with a device, and whether this process serves it from now on, or another one does."""


@frozen
class TakenOver:
    """A device of a process that has died, which this one serves now."""

    device: str
    presence: PresenceState
    heartbeat_timeout: float
    """In seconds."""


class IMembership(Interface):
    """A process among those that share a database. Each device is served by one of them: by the one that it has polled
    last. That one hands out its commands, and notices when it stops reporting.
    """

    def node_name() -> str:
        """The name of this process among those, or of its machine if it is the only one."""

    def is_shared() -> bool:
        """Whether there may be other processes."""

    def beat() -> Deferred[Now | None]:
        """Show that this process is alive, and keep the clocks that all share. What judges by time begins with this.

        Returns their time, of which the steady one stands still while no process serves; None: there is no other.

        :raises Unavailable: if the database cannot be reached.
        :raises StoreRefused: if this process must end.
        """

    def outage() -> float:
        """For how many seconds no process served right before this one started."""

    def served_for(device: str) -> float:
        """For how many seconds, when this process started, it had served a device: one that moved here a moment before
        was seen then, or has its whole timeout from then, as it was taken over. Infinite, if that is not known.
        """

    def serves(device: str) -> bool:
        """Whether this process serves the device, as far as it knows."""

    def serve(device: str) -> Deferred[None]:
        """The device is online, and has polled here: serve it, and have the process that did end its poll.

        :raises Unavailable: if the database cannot be reached.
        """

    def take_over(limit: int) -> Deferred[Sequence[TakenOver]]:
        """Serve devices of processes that have died, up to ``limit``, until they poll elsewhere.

        :raises Unavailable: if the database cannot be reached.
        """

    def subscribe(on_move: OnMove) -> None:
        """Call ``on_move`` when this process begins or ceases to serve a device."""

    def is_cut_off() -> bool:
        """Whether the database could not be reached for so long that others take this process for dead."""

    def clock_offset() -> float | None:
        """Seconds that the clock of this machine is ahead of the database's, by which all processes go; None: there is
        no other clock.
        """

    def lacks_events() -> bool:
        """Whether the database lacks events that this process has seen, as after a restore: nothing is sent then."""

    def hears() -> bool:
        """Whether this process hears of what others change, such as tokens that they revoke."""


@implementer(IMembership)
class OnlyProcess:
    """The only process that uses its database: it serves all devices."""

    def node_name(self) -> str:
        return gethostname()

    def is_shared(self) -> bool:
        return False

    def beat(self) -> Deferred[Now | None]:
        return succeed(None)

    def outage(self) -> float:
        return 0.0

    def served_for(self, device: str) -> float:
        return inf

    def serves(self, device: str) -> bool:
        return True

    def serve(self, device: str) -> Deferred[None]:
        return succeed(None)

    def take_over(self, limit: int) -> Deferred[Sequence[TakenOver]]:
        return succeed(())

    def subscribe(self, on_move: OnMove) -> None:
        """No device ever moves."""

    def is_cut_off(self) -> bool:
        return False

    def clock_offset(self) -> float | None:
        return None

    def lacks_events(self) -> bool:
        return False

    def hears(self) -> bool:
        return True
