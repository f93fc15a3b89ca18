"""
Work that nobody waits for.
"""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from pushd.simulator.background import in_background


def test_bug_is_logged(no_logged_failure: list[Any]) -> None:
    """
    An exception that nobody expected is logged with its traceback.
    """

    async def stumble() -> None:
        raise KeyError("nobody expected this")

    in_background(stumble())
    assert [failure.type for failure in no_logged_failure] == [KeyError]
    no_logged_failure.clear()


def test_given_up() -> None:
    """
    Work may be given up while it waits.
    """
    ended = []

    async def wait() -> None:
        try:
            await Deferred()
        except CancelledError:
            ended.append(True)

    in_background(wait()).cancel()
    assert ended
