"""A follower: somebody who is told of everything as it happens, at its own pace."""

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pushd.core.events.recent_events import RecentEvents, passes
from pushd.model.errors import PushdError
from pushd.model.event import Event
from pushd.store.filters import EventFilter, EventPage

SILENCE = 15.0
"""Seconds without an event after which a reader is told that we are still here; at most, for we look early."""

PATIENCE = 30.0
"""Seconds for which a reader may be unable to take more."""

PULSE = 1.0
"""Seconds between two looks at who was told nothing, or takes nothing."""

BATCH = 100
"""Events that a reader is given at once."""


class IReader(Protocol):
    """Whoever reads: what a follower is for those outside."""

    def take(self, events: Sequence[Event]) -> None:
        """Be told of these, in order; call :meth:`Subscriber.pause` if that is enough for now."""

    def keep_alive(self, position: int) -> None:
        """Be told that we are here, and that up to the event with this ``seq`` there is nothing else to be told."""

    def end(self) -> None:
        """Be told nothing any more, after what was taken."""

    def cut(self) -> None:
        """Be told nothing any more, not even what was taken and has not arrived."""


class IAudience(Protocol):
    """All followers together: what one of them needs of it."""

    tail: RecentEvents
    clock: IReactorTime

    async def read(self, which: EventFilter, after: int) -> EventPage:
        """What the store has of the feed after the event with this ``seq``: up to :data:`BATCH` events."""

    def stir(self) -> None:
        """Have everybody visited soon."""

    def dismiss(self, follower: "Subscriber") -> None:
        """Have one visited no more."""


@define(eq=False)
class Subscriber:
    """One reader, and how far it is. It is told nothing until it is resumed for the first time."""

    which: EventFilter
    position: int
    """The ``seq`` of the last event that it was told of, or that its filter left out."""
    _reader: IReader
    _audience: IAudience
    _since: float = field(init=False)
    """When it was last told something or, while it is paused, when that began."""
    _paused: bool = field(default=True, init=False)
    _joined: bool = field(default=False, init=False)
    """Whether the tail reached back to its position when it was last told something."""
    _catching_up: bool = field(default=False, init=False)
    _reading: Deferred[Any] | None = field(default=None, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._since = self._audience.clock.seconds()

    def pause(self) -> None:
        """The reader can take no more for now."""
        if not self._paused:
            self._paused, self._since = True, self._audience.clock.seconds()

    def resume(self) -> None:
        """The reader can take more."""
        self._paused, self._since = False, self._audience.clock.seconds()
        self._go_on()

    def visit(self) -> None:
        """Tell the reader what there is to tell; let it go if it is too slow."""
        if self._paused:
            self._check_pace()
            return
        self._go_on()
        if not self._paused and self._silent() > SILENCE - PULSE:
            self._since = self._audience.clock.seconds()
            self._reader.keep_alive(self.position)

    def end(self) -> None:
        """Let the reader go; it may come back."""
        self.leave()
        if self._paused:
            self._reader.cut()
        else:
            self._reader.end()

    def leave(self) -> None:
        """The reader has gone."""
        self._audience.dismiss(self)
        if self._catching_up and self._reading is not None:
            self._reading.cancel()

    def _silent(self) -> float:
        return self._audience.clock.seconds() - self._since

    def _check_pace(self) -> None:
        """Nobody may be slow for ever, nor need the store again for what it was too slow to take from memory."""
        if self._silent() >= PATIENCE or (self._joined and not self._audience.tail.reaches(self.position)):
            self.end()

    def _go_on(self) -> None:
        if self._catching_up:
            return
        self._joined = self._audience.tail.reaches(self.position)
        if self._joined:
            self._take_from_tail()
        else:
            self._catching_up = True
            self._reading = Deferred.fromCoroutine(self._catch_up())

    def _take_from_tail(self) -> None:
        new = self._audience.tail.after(self.position)
        batch = new[:BATCH]
        if batch:
            self._take([event for event in batch if passes(self.which, event)], batch[-1].seq)
        if len(new) > BATCH:
            self._audience.stir()

    async def _catch_up(self) -> None:
        try:
            await self._read_up_to_tail()
        except CancelledError:
            return
        except PushdError as error:
            self._log.warn("A follower of the feed is let go: {error}", error=str(error))
        except Exception:
            self._log.failure("A follower of the feed is let go")
        else:
            self._catching_up = False
            if not self._paused:
                self._go_on()
            return
        self._catching_up = False
        self.end()

    async def _read_up_to_tail(self) -> None:
        """Take page by page from the store; one that arrives while the reader is paused is read again later."""
        while not self._paused and not self._audience.tail.reaches(self.position):
            page = await self._audience.read(self.which, self.position)
            if not self._paused:
                self._take(page.items, page.next)

    def _take(self, events: Sequence[Event], position: int) -> None:
        self.position = position
        if events:
            self._since = self._audience.clock.seconds()
            self._reader.take(events)
