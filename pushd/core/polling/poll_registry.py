"""The held poll of each device: wake it up, replace it by a newer one, end it."""

import sys
from collections.abc import Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pushd.core.polling.poll import Poll, PollEnd

CONFLICT_WINDOW = 10.0
"""Seconds; :data:`CONFLICT_TAKEOVERS` takeovers of one device within them mean that two devices share one id."""

CONFLICT_TAKEOVERS = 3
CONFLICT_DELAY = 5.0
"""Seconds until the older poll ends in a conflict; the two devices then take turns at this pace."""

SIGN_OFF_DELAY = 1.0
"""Seconds between a sign-off and the end of the poll, whose device must first read the answer to its sign-off
(Server-Eye, "Meaning").
"""

UNAPPROVED_SHARE = 0.5
"""The part of the polls that can be held which unknown, pending and unproven devices may take together, so that they
cannot keep approved devices from polling.
"""

REVOKE_DELAY = 0.1
"""Seconds until a revoked poll ends: memory must know the reason before a pipelined next poll is admitted."""


@define(eq=False)
class PollRegistry:
    """One live poll per device, the newest; older ones end."""

    clock: IReactorTime
    limit: int = sys.maxsize
    """How many polls can be held, because each needs a file descriptor."""
    _live: dict[str, Poll] = field(factory=dict, init=False)
    _ending: set[Poll] = field(factory=set, init=False)
    _unapproved: set[Poll] = field(factory=set, init=False)
    """Those of devices that were not approved when they polled."""
    _takeovers: dict[str, tuple[float, ...]] = field(factory=dict, init=False)
    """When polls of a device were replaced by newer ones, in the clock's seconds."""

    def add(self, poll: Poll) -> int:
        """Make ``poll`` the live one of its device, and start it; returns how many takeovers there were lately."""
        older = self._live.get(poll.device)
        self._live[poll.device] = poll
        if not poll.is_approved:
            self._unapproved.add(poll)
        poll.claim()  # before the older one ends: its device may poll again within that very call
        return 0 if older is None else self._take_over(older)

    def remove(self, poll: Poll) -> None:
        """A poll has ended."""
        self._ending.discard(poll)
        self._unapproved.discard(poll)
        if self._live.get(poll.device) is poll:
            del self._live[poll.device]

    def notify(self, device: str) -> None:
        """Wake up the poll of this device: a claim may succeed now."""
        poll = self._live.get(device)
        if poll is not None:
            poll.notify()

    def is_polling(self, device: str) -> bool:
        """Whether a poll of this device is held now."""
        return device in self._live

    def count(self, covers: Callable[[str], bool] | None = None) -> int:
        """How many devices hold a poll; ``covers``: of those of which it is true."""
        return len(self._live) if covers is None else sum(map(covers, self._live))

    def is_full(self, device: str, *, is_approved: bool) -> bool:
        """Whether no poll of this device can be added; one that replaces another one always can."""
        if device in self._live:
            return False
        share_taken = not is_approved and len(self._unapproved) >= self.limit * UNAPPROVED_SHARE
        return share_taken or len(self._live) + len(self._ending) >= self.limit

    def revoke(self, device: str) -> None:
        """Send nothing more to this device's poll, and end it: the next poll of the device is admitted anew."""
        poll = self._live.pop(device, None)
        if poll is not None:
            self._end_after(poll, REVOKE_DELAY, PollEnd.IDLE)

    def revoke_poll(self, poll: Poll) -> None:
        """The same for this poll, unless its device has polled again."""
        if self._live.get(poll.device) is poll:
            self.revoke(poll.device)

    def revoke_unserved(self, device: str) -> None:
        """End this device's poll if it may get no commands: admitted anew, the device may."""
        poll = self._live.get(device)
        if poll is not None and not poll.may_receive:
            self.revoke(device)

    def hand_over(self, device: str) -> int:
        """The device polls at another process: end its poll here as if it was replaced; returns as :meth:`add`."""
        poll = self._live.pop(device, None)
        return 0 if poll is None else self._take_over(poll)

    def sign_off(self, device: str) -> None:
        """Send nothing more to this device, and end its poll in a moment."""
        poll = self._live.pop(device, None)
        if poll is not None:
            self._end_after(poll, SIGN_OFF_DELAY, PollEnd.SIGNED_OFF)

    def end_all(self) -> None:
        """Answer every poll idle."""
        for poll in [*self._live.values(), *self._ending]:
            poll.end_idle()

    def forget_takeovers(self) -> None:
        """Drop takeovers that are too old to be part of a conflict."""
        if not self._takeovers:
            return
        since = self.clock.seconds() - CONFLICT_WINDOW
        self._takeovers = {device: times for device, times in self._takeovers.items() if times[-1] > since}

    def __len__(self) -> int:
        return len(self._live) + len(self._ending)

    def _take_over(self, older: Poll) -> int:
        now = self.clock.seconds()
        times = (*self._takeovers.get(older.device, ()), now)
        recent = tuple(time for time in times if time > now - CONFLICT_WINDOW)
        self._takeovers[older.device] = recent[-CONFLICT_TAKEOVERS:]
        if len(recent) >= CONFLICT_TAKEOVERS:
            self._end_after(older, CONFLICT_DELAY, PollEnd.CONFLICT)
        else:
            self._end_after(older, 0, PollEnd.REPLACED)
        return len(recent)

    def _end_after(self, poll: Poll, delay: float, end: PollEnd) -> None:
        self._ending.add(poll)
        poll.end_after(delay, end)
