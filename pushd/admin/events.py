"""``/v1/events``: what happened, in order."""

import re
from typing import Any

from attrs import define, field

from pushd.admin import json_views
from pushd.admin.auth import demands
from pushd.admin.event_stream import EventStream, Rendered
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.core.credentials import Tokens
from pushd.core.events.feed import Feed
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.errors import InvalidQuery
from pushd.model.event import EventType
from pushd.model.token import Role
from pushd.store.filters import EventFilter

_SEQ = re.compile(r"[0-9]{1,18}")

NOW = "now"
"""As ``after``: from what comes next."""


@define(eq=False)
class FeedApp:
    """The feed."""

    router = Router(problem)

    tokens: Tokens
    feed: Feed
    _rendered: Rendered = field(factory=Rendered, init=False)

    @router.route("/v1/events", methods=["GET"])
    @demands(Role.VIEWER)
    async def events(self, request: Request) -> bytes:
        """The feed, in order; ``wait`` holds the answer until there is something."""
        query = Query.of(request, "after", "limit", "wait", "device", "type")
        which, wait = _which(query), query.seconds("wait") or 0
        start = await self._start("after", query.text("after"), "0")
        return json_views.events(await self.feed.read(which, start, query.limit(), wait))

    @router.route("/v1/events/stream", methods=["GET"])
    @demands(Role.VIEWER)
    async def stream(self, request: Request) -> bytes:
        """The same as server-sent events, from now on or from behind an event."""
        query = Query.of(request, "after", "device", "type")
        which = _which(query)
        last = (request.getHeader(b"Last-Event-ID") or b"").decode("utf-8", "replace")
        told = ("Last-Event-ID", last) if last else ("after", query.text("after"))
        start = await self._start(*told, NOW)
        await self.feed.check_position(start)
        return await EventStream(request, self._rendered).run(self.feed, which, start)

    async def _start(self, name: str, told: str | None, default: str) -> int:
        after = default if told is None else told
        if after == NOW:
            return await self.feed.last_seq()
        if not _SEQ.fullmatch(after):
            raise InvalidQuery(f"{name} must be the seq of an event, the next of a list of events, or {NOW}.")
        return int(after)


def _which(query: Query) -> EventFilter:
    return EventFilter(device=query.text("device"), types=_types(query))


def _types(query: Query) -> tuple[EventType, ...]:
    names = [name for text in query.texts("type") for name in text.split(",")]
    unknown: list[Any] = [name for name in names if name not in list(EventType)]
    if unknown:
        raise InvalidQuery(f"There is no event type {unknown[0]}.")
    return tuple(EventType(name) for name in names)
