"""Pauses of a program that goes on while the server cannot be reached."""

import random

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pushd.lib.backoff import Backoff
from pushd.pushctl.errors import ClientError, Refused, Unreachable
from pushd.pushctl.session import print_error

MAX_RECONNECT_DELAY = 30.0
"""Seconds between two attempts to connect again, at most."""


def is_passing(error: ClientError) -> bool:
    """Whether the same request may succeed later."""
    return isinstance(error, Unreachable) or (isinstance(error, Refused) and error.status >= 500)


@define(eq=False)
class Reconnection:
    """Says when the server is lost and when it is back, and waits in between, with exponential backoff."""

    _clock: IReactorTime
    _lost: bool = field(default=False, init=False)
    _backoff: Backoff = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(self._clock, random.random, MAX_RECONNECT_DELAY)

    def succeeded(self) -> None:
        """The server has answered."""
        if self._lost:
            print_error("reconnected")
        self._lost = False
        self._backoff.reset()

    async def pause(self, problem: ClientError) -> None:
        """Wait until the next attempt."""
        if not self._lost:
            print_error(f"{problem}; reconnecting")
        self._lost = True
        self._backoff.record_failure()
        await deferLater(self._clock, self._backoff.remaining)
