"""Who polls now: where a command's arrival rings."""

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from pushd.core.polling.poll import Poll, PollEnd

STORM_SECONDS = 10.0
"""Takeovers of one device within this time are a storm from the third on: two devices may share one id."""

STORM_COUNT = 3
STORM_DELAY = 5.0
"""Seconds until the older poll ends in a storm; the two devices then take turns at this pace."""

SIGN_OFF_DELAY = 1.0
"""Seconds that a poll outlives its device's sign-off, whose answer must be read first (Server-Eye, "Meaning")."""

DISMISSAL_DELAY = 0.1
"""Seconds that a poll outlives its dismissal: memory must know the reason before a pipelined next poll is judged."""


@define(eq=False)
class PollRegistry:
    """One live poll per device, the newest; older ones end."""

    clock: IReactorTime
    _live: dict[str, Poll] = field(factory=dict, init=False)
    _lingering: set[Poll] = field(factory=set, init=False)
    _takeovers: dict[str, tuple[float, ...]] = field(factory=dict, init=False)

    def enter(self, poll: Poll) -> int:
        """Make ``poll`` the live one of its device, and begin it; which takeover in a row this is (0: none)."""
        older = self._live.get(poll.device)
        self._live[poll.device] = poll
        poll.begin()  # before the older one ends: whoever is answered may poll anew within that very call
        return 0 if older is None else self._take_over(older)

    def leave(self, poll: Poll) -> None:
        """Forget a poll that has ended."""
        self._lingering.discard(poll)
        if self._live.get(poll.device) is poll:
            del self._live[poll.device]

    def ring(self, device: str) -> None:
        """Something may be there for this device."""
        poll = self._live.get(device)
        if poll is not None:
            poll.ring()

    def is_polling(self, device: str) -> bool:
        """Whether a poll of this device is held now."""
        return device in self._live

    def dismiss(self, device: str) -> None:
        """Hand nothing more to this device's poll, and end it: the device has to come again, and be judged anew."""
        poll = self._live.pop(device, None)
        if poll is not None:
            self._linger(poll, DISMISSAL_DELAY, PollEnd.IDLE)

    def sign_off(self, device: str) -> None:
        """Hand this device nothing more, and end its poll in a moment."""
        poll = self._live.pop(device, None)
        if poll is not None:
            self._linger(poll, SIGN_OFF_DELAY, PollEnd.SIGNED_OFF)

    def finish(self) -> None:
        """Answer every poll idle."""
        for poll in [*self._live.values(), *self._lingering]:
            poll.finish()

    def forget_takeovers(self) -> None:
        """Drop takeovers too old to be part of a storm."""
        since = self.clock.seconds() - STORM_SECONDS
        self._takeovers = {device: times for device, times in self._takeovers.items() if times[-1] > since}

    def __len__(self) -> int:
        return len(self._live) + len(self._lingering)

    def _take_over(self, older: Poll) -> int:
        now = self.clock.seconds()
        times = (*self._takeovers.get(older.device, ()), now)
        recent = tuple(time for time in times if time > now - STORM_SECONDS)
        self._takeovers[older.device] = recent[-STORM_COUNT:]
        if len(recent) >= STORM_COUNT:
            self._linger(older, STORM_DELAY, PollEnd.CROWDED)
        else:
            self._linger(older, 0, PollEnd.REPLACED)
        return len(recent)

    def _linger(self, poll: Poll, delay: float, end: PollEnd) -> None:
        self._lingering.add(poll)
        poll.linger(delay, end)
