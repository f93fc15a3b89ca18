"""``/v1/events``: the event log, as a list and as a stream."""

from typing import Any

from attrs import define, field

from pushd.admin import json_views
from pushd.admin.auth import requires
from pushd.admin.event_stream import EventStream, RenderedEvents
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.core.credentials import Tokens
from pushd.core.events.feed import Feed
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.epochs import is_public_id
from pushd.model.errors import InvalidQuery
from pushd.model.event import EventType
from pushd.model.token import Role
from pushd.store.filters import EventFilter

NOW = "now"
"""As ``after``: only events that are yet to come."""


@define(eq=False)
class EventsApp:
    """List events, wait for them, stream them."""

    router = Router(problem)

    tokens: Tokens
    feed: Feed
    _rendered: RenderedEvents = field(factory=RenderedEvents, init=False)

    @router.route("/v1/events", methods=["GET"])
    @requires(Role.VIEWER, "after", "limit", "wait", "device", "type")
    async def list(self, _request: Request, query: Query) -> bytes:
        """Events, oldest first; ``wait`` delays the answer until there is one."""
        which, wait = _event_filter(query), query.seconds("wait") or 0
        after = await self._position("after", query.text("after"), "0")
        page = await self.feed.read(which, after, query.limit(), wait)
        return json_views.events(page, self.feed.epochs)

    @router.route("/v1/events/stream", methods=["GET"])
    @requires(Role.VIEWER, "after", "device", "type")
    async def stream(self, request: Request, query: Query) -> bytes:
        """Server-sent events, from now on, or from an earlier event on."""
        which = _event_filter(query)
        last_event_id = (request.getHeader(b"Last-Event-ID") or b"").decode("utf-8", "replace")
        given = ("Last-Event-ID", last_event_id) if last_event_id else ("after", query.text("after"))
        after = await self._position(*given, NOW)
        await self.feed.check_position(after)
        return await EventStream(request, self._rendered).run(self.feed, which, after)

    async def _position(self, name: str, value: str | None, default: str) -> int:
        """The ``seq`` that a client gave as ``name``.

        :raises InvalidQuery: if it cannot be one.
        :raises EventsPurged: if no such event is known.
        """
        after = default if value is None else value
        if after == NOW:
            return await self.feed.last_seq()
        if not is_public_id(after):
            raise InvalidQuery(f"{name} must be the seq of an event, the next of a list of events, or {NOW}.")
        return await self.feed.position(after)


def _event_filter(query: Query) -> EventFilter:
    return EventFilter(device=query.text("device"), types=_types(query))


def _types(query: Query) -> tuple[EventType, ...]:
    """The values of ``type``, which may repeat and be separated by commas."""
    names = [name for text in query.texts("type") for name in text.split(",")]
    unknown: list[Any] = [name for name in names if name not in list(EventType)]
    if unknown:
        raise InvalidQuery(f"Unknown event type {unknown[0]}; the types are {', '.join(EventType)}.")
    return tuple(EventType(name) for name in names)
