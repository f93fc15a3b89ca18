"""A town of devices that poll by a clock, behind the addresses of its sites."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

from attrs import define, field, frozen

from pushd.core.app import Core


@frozen(kw_only=True)
class Absence:
    """A device is away from one second to another."""

    device: str
    gone: int
    back: int


@define(eq=False, repr=False)
class Town:
    """Who polls: each of ``addresses`` holds one poll, unless it is away; ends and begins it again each so many
    seconds.
    """

    addresses: dict[str, str]
    core: Core
    again: int
    _polls: dict[str, AbstractContextManager[None]] = field(factory=dict, init=False)

    def come(self, devices: Iterable[str]) -> None:
        """Poll, and have that held."""
        for device in devices:
            poll = self.core.presence.here(device, self.addresses[device])
            poll.__enter__()
            self._polls[device] = poll

    def go(self, devices: Iterable[str]) -> None:
        """Hang up; or be answered."""
        for device in devices:
            self._polls.pop(device).__exit__(None, None, None)

    def turn(self, second: int) -> None:
        """Let those poll again whose turn it is."""
        places = list(self.addresses)[second % self.again :: self.again]
        here = [device for device in places if device in self._polls]
        self.go(here)
        self.come(here)

    def move(self, core: Core) -> None:
        """The server ends; those who were held poll at the next one."""
        here = list(self._polls)
        self.go(here)
        self.core = core
        self.come(here)
