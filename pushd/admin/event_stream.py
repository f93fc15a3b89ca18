"""The stream: events as they happen, as server-sent events (WHATWG HTML, "Server-sent events")."""

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from pushd.admin import json_views
from pushd.core.events.feed import Feed
from pushd.core.events.follower import Subscriber
from pushd.core.events.recent_events import MAX_RECENT_EVENTS
from pushd.http.request import Request
from pushd.model.event import Event
from pushd.store.filters import EventFilter

RETRY = 1000
"""Milliseconds after which a client that lost its stream comes back."""


@define(eq=False)
class Rendered:
    """Events as they go over the wire, each made once for all streams."""

    most: int = MAX_RECENT_EVENTS
    _made: dict[int, bytes] = field(factory=dict, init=False)

    def of(self, event: Event) -> bytes:
        """The bytes of an event."""
        made = self._made.get(event.seq)
        if made is None:
            made = self._made[event.seq] = _render(event)
            if len(self._made) > self.most:
                del self._made[next(iter(self._made))]
        return made


def _render(event: Event) -> bytes:
    """An event's fields; JSON has no line breaks, so its data is one line."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (
        event.seq,
        event.type.encode(),
        json_views.json(json_views.event(event)),
    )


def _place(position: int) -> bytes:
    """Tell a client from where to go on, without an event."""
    return b"id: %d\n\n" % position


@implementer(IPushProducer)
@define(eq=False)
class EventStream:
    """An answer that goes on until the client hangs up, is too slow, or we stop."""

    _request: Request
    _rendered: Rendered
    _done: Deferred[None] = field(factory=Deferred, init=False)
    _follower: Subscriber = field(init=False)
    _told: int = field(default=0, init=False)
    """The last ``seq`` that the client was told."""

    async def run(self, feed: Feed, which: EventFilter, after: int) -> bytes:
        """Answer with all that comes after an event; what is left to write at the end."""
        self._request.content_type = b"text/event-stream"
        self._request.setHeader(b"X-Accel-Buffering", b"no")  # nginx would wait for more
        self._told = after
        self._request.write(b"retry: %d\n%s" % (RETRY, _place(after)))
        self._follower = feed.follow(which, after, self)
        try:
            self._request.registerProducer(self, True)
            self._follower.resume()
            await self._done
        finally:
            self._follower.leave()
        self._request.unregisterProducer()
        return b""

    def take(self, events: Sequence[Event]) -> None:
        self._told = events[-1].seq
        self._request.write(b"".join(map(self._rendered.of, events)))

    def keep_alive(self, position: int) -> None:
        """A comment; with it, from where to go on, for a client that asked for little would come back from far
        behind.
        """
        moved = position != self._told
        self._told = position
        self._request.write(b":\n" + (_place(position) if moved else b"\n"))

    def end(self) -> None:
        if not self._done.called:
            self._done.callback(None)

    def cut(self) -> None:
        """See :meth:`pushd.core.events.follower.IReader.cut`. An end of the usual kind would wait for the client."""
        self._request.abort()

    def pauseProducing(self) -> None:
        """What was written has not left yet."""
        self._follower.pause()

    def resumeProducing(self) -> None:
        """It has."""
        self._follower.resume()

    def stopProducing(self) -> None:
        """The connection is gone, which cancels :meth:`run`."""
