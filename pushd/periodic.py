"""Rounds: work that comes back every few seconds, whatever happens."""

from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pushd.model.errors import PushdError


@define(eq=False)
class PeriodicTask(Service):
    """Calls ``work`` every ``interval`` seconds; a failure is logged, and does not end it as it would a bare
    LoopingCall.
    """

    title: str
    interval: float
    work: Callable[[], Awaitable[object]]
    clock: IReactorTime
    done_at: float = field(default=0.0, init=False)
    """When a round last ended well, or the first could begin, in seconds of the clock."""
    _call: LoopingCall | None = field(default=None, init=False)
    _log = Logger()

    def startService(self) -> None:
        """Start; the first round comes after one interval."""
        super().startService()
        self.done_at = self.clock.seconds()
        self._call = LoopingCall(self._go_round)
        self._call.clock = self.clock
        self._call.start(self.interval, now=False)

    def stopService(self) -> None:
        """Stop."""
        super().stopService()
        if self._call is not None and self._call.running:
            self._call.stop()

    def stuck(self, seconds: float) -> bool:
        """Whether no round ended well for longer than that, beyond the interval."""
        return self.clock.seconds() - self.done_at - self.interval > seconds

    async def _go_round(self) -> None:
        try:
            await self.work()
            self.done_at = self.clock.seconds()
        except PushdError as error:  # the store does not answer, say: the next round tries again
            self._log.error("The round could not be finished: {title}: {error}", title=self.title, error=str(error))
        except Exception:
            self._log.failure("The round failed: {title}", title=self.title)
