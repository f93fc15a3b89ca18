"""A reader of the events that goes on where it was, whatever happens to the server."""

from attrs import define, field
from twisted.internet.task import deferLater

from tests.harness.admin_api import AdminApi, Json

_WAIT = 2.0


@define(eq=False)
class EventFollower:
    """Reads the events one page after the other."""

    api: AdminApi
    pause: float = 0.0
    """Seconds between two pages."""
    events: list[Json] = field(factory=list, init=False)
    """All that were read, in the order in which they came."""
    _after: str | None = field(default=None, init=False)
    _finishing: bool = field(default=False, init=False)

    def finish(self) -> None:
        """Read no further page."""
        self._finishing = True

    async def follow(self) -> None:
        """Read until :meth:`finish` is called."""
        while not self._finishing:
            await self._read(_WAIT)
            await deferLater(self.api.clock, self.pause)

    async def catch_up(self) -> None:
        """Read all that are there now."""
        while await self._read(0):
            pass

    async def _read(self, wait: float) -> bool:
        page, self._after = await self.api.events(self._after, wait)
        self.events += page
        return bool(page)
