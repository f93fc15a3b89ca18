"""``/v1/events``: the event log, as a list and as a stream."""

from attrs import define, field

from pushd.admin import json_views, parameters
from pushd.admin.auth import Authenticator, requires_in_scope
from pushd.admin.event_stream import EventStream, RenderedEvents
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.events import EVENTS
from pushd.core.events.feed import Feed
from pushd.core.scoped_view import ScopedView
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.admin_api import NOW, START
from pushd.model.epochs import is_public_id
from pushd.model.errors import InvalidQuery
from pushd.model.event import EventType
from pushd.model.token import Role
from pushd.store.filters import EventFilter


@define(eq=False)
class EventsApp:
    """List events, wait for them, stream them."""

    router = Router(problem)

    auth: Authenticator
    feed: Feed
    _rendered: RenderedEvents = field(factory=RenderedEvents, init=False)

    @router.route("/v1/events", methods=["GET"])
    @requires_in_scope(Role.VIEWER, *parameters.EVENTS)
    @answers({200: Answer("Events.", EVENTS)}, errors=("events-purged",))
    async def list(self, request: Request, query: Query, view: ScopedView | None) -> bytes:
        """Events, oldest first; ``wait`` delays the answer until there is one."""
        which, wait, limit = _event_filter(query, view), query.seconds("wait") or 0, query.limit()
        if which.since is not None and query.text("after") is None:
            after = await self.feed.position_before(which.since)
        else:
            after = await self._position("after", query.text("after"), START)
        with request.client.waiting() as waits:
            page = await self.feed.read(which, after, limit, wait, waits)
        return json_views.events(page, self.feed.epochs)

    @router.route("/v1/events/stream", methods=["GET"])
    @requires_in_scope(Role.VIEWER, *parameters.STREAM)
    @answers(
        {200: Answer("The ``data`` of each event is an Event.", media_type="text/event-stream")},
        headers=(parameters.LAST_EVENT_ID,),
        errors=("events-purged",),
    )
    async def stream(self, request: Request, query: Query, view: ScopedView | None) -> bytes:
        """Server-sent events, from now on, or from an earlier event on."""
        which = _event_filter(query, view)
        last_event_id = (request.getHeader(b"Last-Event-ID") or b"").decode("utf-8", "replace")
        names = {"Last-Event-ID": last_event_id, "lastEventId": query.text("lastEventId")}
        given = next(((name, text) for name, text in names.items() if text), ("after", query.text("after")))
        after = await self._position(*given, NOW)
        await self.feed.check_position(after)
        request.client.check()
        stream = EventStream(request, self._rendered, request.client.waits)
        return await stream.run(self.feed, which, after)

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


def _event_filter(query: Query, view: ScopedView | None) -> EventFilter:
    return EventFilter(
        devices=query.texts("device"),
        types=query.each_of("type", EventType),
        since=query.timestamp("since"),
        view=view,
    )
