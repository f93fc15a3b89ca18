"""The event stream: server-sent events (WHATWG HTML, section "Server-sent events")."""

from collections.abc import Callable, Sequence

from attrs import define, field, frozen
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from pushd.admin import json_views
from pushd.core.events.broadcaster import Subscriber
from pushd.core.events.feed import Feed
from pushd.core.events.recent_events import MAX_RECENT_EVENTS
from pushd.core.waiters import Waits
from pushd.http.request import Request
from pushd.lib.cancellable_waits import DeferredWait
from pushd.model.event import Event
from pushd.store.filters import EventFilter

RETRY = 1000
"""Milliseconds after which a client reconnects that has lost its stream."""


@define(eq=False)
class RenderedEvents:
    """A cache of recent events as they are sent, so that each is rendered once for all streams."""

    size: int = MAX_RECENT_EVENTS
    _by_seq: dict[int, bytes] = field(factory=dict, init=False)

    def get(self, event: Event) -> bytes:
        """The bytes of an event."""
        rendered = self._by_seq.get(event.seq)
        if rendered is None:
            rendered = self._by_seq[event.seq] = _render(event)
            if len(self._by_seq) > self.size:
                del self._by_seq[next(iter(self._by_seq))]
        return rendered


def _render(event: Event) -> bytes:
    """The fields of an event; its data is one line, as JSON has no line breaks."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        event.public_id.encode(),
        event.type.encode(),
        json_views.json(json_views.event(event)),
    )


def _last_event_id(event_id: str) -> bytes:
    """Sets the client's last event id without an event."""
    return b"id: %s\n\n" % event_id.encode()


@implementer(IPushProducer)
@frozen(eq=False)
class _FlowControl:
    """Pauses a subscriber while its client does not read.

    It is no part of the stream, which the subscriber calls: they would be a reference cycle.
    """

    subscriber: Subscriber

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self.subscriber.pause()

    def resumeProducing(self) -> None:
        """The transport's buffer is empty again."""
        self.subscriber.resume()

    def stopProducing(self) -> None:
        """The connection is lost, which cancels :meth:`EventStream.run`."""


@define(eq=False)
class EventStream:
    """A response that lasts until the client disconnects or is too slow, its token ends, or the server stops."""

    _request: Request
    _rendered: RenderedEvents
    _waits: Waits
    """What ends with the token."""
    _done: DeferredWait[None] = field(factory=DeferredWait, init=False)
    _event_id: Callable[[int], str] = field(init=False)
    _render: Callable[[Event], bytes] = field(init=False)
    _sent: int = field(default=0, init=False)
    """The ``seq`` of the last event id that was sent to the client."""

    def __attrs_post_init__(self) -> None:
        self._render = self._rendered.get

    async def run(self, feed: Feed, event_filter: EventFilter, after: int) -> bytes:
        """Send all events that follow ``after``; returns the end of the body."""
        self._request.content_type = b"text/event-stream"
        self._request.setHeader(b"X-Accel-Buffering", b"no")  # nginx would buffer the response otherwise
        self._sent = after
        self._event_id = feed.epochs.event_id
        if event_filter.view is not None:
            self._render = _render  # it may be only a part of what others see
        self._request.write(b"retry: %d\n%s" % (RETRY, _last_event_id(self._event_id(after))))
        subscriber = feed.subscribe(
            event_filter,
            after,
            on_events=self._send,
            on_keep_alive=self._keep_alive,
            on_end=self._end,
            on_abort=self._request.abort,
        )
        self._waits.add(self._done)
        try:
            self._request.registerProducer(_FlowControl(subscriber), True)
            subscriber.resume()
            await self._done
        finally:
            self._waits.discard(self._done)
            subscriber.unsubscribe()
        self._request.unregisterProducer()
        return b""

    def _send(self, events: Sequence[Event]) -> None:
        self._sent = events[-1].seq
        self._request.write(b"".join(map(self._render, events)))

    def _keep_alive(self, position: int) -> None:
        """Send a comment; and the position, if it has moved, or a client with a narrow filter would reconnect from far
        behind.
        """
        moved = position != self._sent
        self._sent = position
        self._request.write(b":\n" + (_last_event_id(self._event_id(position)) if moved else b"\n"))

    def _end(self) -> None:
        if not self._done.called:
            self._done.callback(None)
