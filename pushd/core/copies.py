"""Keeps what memory has of devices, tokens, people, sessions and webhooks as other processes change it."""

from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pushd.core.clocks import Clocks
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.people import People
from pushd.core.sessions import Sessions
from pushd.core.tokens import Tokens
from pushd.core.webhooks import Webhooks
from pushd.lib.background import in_background
from pushd.lib.cancellable_waits import delay
from pushd.model.errors import Unavailable
from pushd.store.copies import Copied, StoredDevice
from pushd.store.filters import Principals
from pushd.store.interface import IStore

RETRY_SECONDS = 1.0
"""Seconds until what could not be read is read again."""


@define(eq=False)
class Copies:
    """An :class:`pushd.store.copies.ICopies` of the core."""

    store: IStore
    clocks: Clocks
    registry: DeviceRegistry
    tokens: Tokens
    people: People
    sessions: Sessions
    webhooks: Webhooks
    _stale: set[Copied] = field(factory=set, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)
    """Those that wait until it is read."""
    _is_reading: bool = field(default=False, init=False)
    _log = Logger()

    def start(self) -> None:
        """Learn from now on what other processes change; what is loaded at the start is not older."""
        self.store.keep_copies(self)

    def change_devices(self, changed: Mapping[str, StoredDevice | None]) -> None:
        self.registry.take_over(changed)

    def read_again(self, stale: Collection[Copied]) -> Deferred[None]:
        self._stale.update(stale)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if not self._is_reading:
            self._is_reading = True
            in_background(self._read_all())
        return done

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                stale, self._stale = self._stale, set()
                waiting, self._waiting = self._waiting, []
                try:
                    await self._read(stale)
                except Exception as error:
                    self._stale |= stale
                    self._waiting += waiting
                    if not isinstance(error, Unavailable):
                        raise
                    self._log.warn("Changes of other processes could not be read, retrying: {error}", error=str(error))
                    await delay(self.clocks.clock, RETRY_SECONDS)
                else:
                    for done in waiting:
                        done.callback(None)
        finally:
            self._is_reading = False

    async def _read(self, stale: Collection[Copied]) -> None:
        if Copied.PRINCIPALS in stale:
            stored: Principals = await self.store.principals()
            loads: Sequence[Callable[[Principals], None]] = (self.tokens.load, self.people.load, self.sessions.load)
            for load in loads:
                load(stored)
        if Copied.WEBHOOKS in stale:
            self.webhooks.note_foreign_change()
