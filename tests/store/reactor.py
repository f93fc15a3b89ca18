"""The real reactor with a clock that only a test moves."""

from collections.abc import Callable
from typing import Any

from attrs import define


@define(eq=False)
class ReactorWithManualClock:
    """An :class:`pushd.store.group_commit.IExecutorReactor` for which no time passes while operations run."""

    now: float = 0.0

    def seconds(self) -> float:
        """The time, as the test set it."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def callLater(self, delay: float, call: Callable[..., Any], *args: Any) -> Any:
        """Call after a delay of the real reactor: executors ask only for the next turn."""
        from twisted.internet import reactor

        assert delay == 0
        return reactor.callLater(delay, call, *args)

    def callFromThread(self, call: Callable[..., Any], *args: Any) -> None:
        """Call on the reactor's thread."""
        from twisted.internet import reactor

        reactor.callFromThread(call, *args)  # type: ignore[attr-defined]
