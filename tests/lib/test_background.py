"""Tests of coroutines that nothing awaits."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pushd.lib.background import in_background, pause


def test_bug_is_logged(no_logged_failure: list[Any]) -> None:
    """An unexpected exception is logged with its traceback."""

    async def stumble() -> None:
        raise KeyError("unexpected")

    in_background(stumble())
    assert [failure.type for failure in no_logged_failure] == [KeyError]
    no_logged_failure.clear()


def test_given_up() -> None:
    """Work may be given up while it waits."""
    ended = []

    async def wait() -> None:
        try:
            await Deferred()
        except CancelledError:
            ended.append(True)

    in_background(wait()).cancel()
    assert ended


def test_pause(clock: Clock) -> None:
    """A pause lasts as long as it was asked to; none at all does not even let anything else happen in between."""
    assert in_background(pause(clock, 0)).called
    waiting = in_background(pause(clock, 2))
    clock.advance(1.9)
    assert not waiting.called
    clock.advance(0.1)
    assert waiting.called
