"""
``/v1/events``: what happened, in order.
"""

import re
from typing import Any

from attrs import define
from twisted.python.failure import Failure

from pushd.admin import views
from pushd.admin.access import demands
from pushd.admin.problems import problem
from pushd.admin.queries import Query
from pushd.core.feed import Feed
from pushd.core.tokens import Tokens
from pushd.model.errors import InvalidQuery
from pushd.model.events import EventType
from pushd.model.token import Role
from pushd.store.interface import EventFilter
from pushd.web.answers import answer
from pushd.web.request import HouseRequest
from pushd.web.router import Router

_SEQ = re.compile(r"[0-9]{1,18}")

NOW = "now"
"""As ``after``: from what comes next."""


@define(eq=False)
class FeedApp:
    """
    The feed.
    """

    router = Router()

    tokens: Tokens
    feed: Feed

    @router.route("/v1/events", methods=["GET"])
    @demands(Role.VIEWER)
    async def events(self, request: HouseRequest) -> bytes:
        """
        The feed, in order; ``wait`` holds the answer until there is something.
        """
        query = Query.of(request, "after", "limit", "wait", "device", "type")
        which = EventFilter(device=query.text("device"), types=_types(query))
        after, wait = query.text("after"), query.seconds("wait") or 0
        start = await self.feed.last() if after == NOW else _seq(after)
        return answer(request, views.events(await self.feed.read(which, start, query.limit(), wait)))

    @router.handle_errors(Exception)
    def failed(self, request: HouseRequest, failure: Failure) -> bytes:
        """
        Errors are problems.
        """
        return problem(request, failure)


def _seq(after: str | None) -> int:
    if after is None:
        return 0
    if not _SEQ.fullmatch(after):
        raise InvalidQuery("after must be the seq of an event, or the next of a list of events.")
    return int(after)


def _types(query: Query) -> tuple[EventType, ...]:
    names = [name for text in query.texts("type") for name in text.split(",")]
    unknown: list[Any] = [name for name in names if name not in list(EventType)]
    if unknown:
        raise InvalidQuery(f"There is no event type {unknown[0]}.")
    return tuple(EventType(name) for name in names)
