"""Periodic tasks: work that is repeated every few seconds, also after a failure."""

from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pushd.model.errors import PushdError, is_logged


@define(eq=False)
class PeriodicTask(Service):
    """Calls ``work`` every ``interval`` seconds; unlike a bare LoopingCall, it logs a failure and goes on."""

    title: str
    interval: float
    work: Callable[[], Awaitable[object]]
    clock: IReactorTime
    done_at: float = field(default=0.0, init=False)
    """When a run last succeeded, or when the service started, in seconds of the clock."""
    _call: LoopingCall | None = field(default=None, init=False)
    _log = Logger()

    def startService(self) -> None:
        """Start; the first run comes after one interval."""
        super().startService()
        self.done_at = self.clock.seconds()
        self._call = LoopingCall(self._run)
        self._call.clock = self.clock
        self._call.start(self.interval, now=False)

    def stopService(self) -> None:
        """Stop; a run that is in progress goes on to its end."""
        super().stopService()
        if self._call is not None and self._call.running:
            self._call.stop()

    def stuck(self, seconds: float) -> bool:
        """Whether the last successful run is more than an interval and this many seconds ago."""
        return self.clock.seconds() - self.done_at - self.interval > seconds

    async def _run(self) -> None:
        try:
            await self.work()
            self.done_at = self.clock.seconds()
        except PushdError as error:  # for example, the store is unavailable
            if self.running and not is_logged(error):  # a stop closes the store
                self._log.error(
                    "Periodic task {title} failed, will retry: {error}", title=self.title, error=str(error)
                )
        except Exception:
            self._log.failure("Unhandled exception in periodic task {title}, will retry", title=self.title)
