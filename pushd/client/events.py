"""The event log as an iterator that reconnects and misses nothing."""

from collections import deque
from math import inf
from time import monotonic

from attrs import define, field, frozen

from pushd.client.api import Api
from pushd.client.connection import Query
from pushd.client.values import Event
from pushd.model.admin_api import MAX_PAGE, START, decimal

WAIT = 25.0
"""Seconds that one request waits for an event: less than the 30 or 60 after which proxies close a connection."""


@frozen(kw_only=True)
class _Page:
    items: tuple[Event, ...]
    next: str


@define(eq=False)
class EventFeed:
    """Iterates over events as they happen; one thread at a time may use it.

    It begins where it was made. While the server cannot be reached it tries again, with exponential backoff, and then
    continues where it was. It ends only if it has a ``timeout``, when no event came for that time.
    """

    _api: Api
    position: str
    """After which event the next one is: stored, and passed as ``after``, it lets another program continue here."""
    _filters: Query
    timeout: float | None
    """In seconds; None: it never ends."""
    _page: deque[Event] = field(factory=deque, init=False)
    _next: str = field(init=False)
    """The position after the whole page, and after events that the filters left out."""

    def __attrs_post_init__(self) -> None:
        self._next = self.position

    def __iter__(self) -> "EventFeed":
        return self

    def __next__(self) -> Event:
        """The next event; waits for it.

        :raises EventsPurged: if events were deleted before they were read.
        :raises StopIteration: if none came within ``timeout``.
        """
        ends_at = inf if self.timeout is None else monotonic() + self.timeout
        while not self._page:
            left = ends_at - monotonic()
            if left <= 0:
                raise StopIteration
            self._read_page(left)
        event = self._page.popleft()
        self.position = event.seq if self._page and event.seq is not None else self._next
        return event

    def _read_page(self, left: float) -> None:
        """Read the events that follow, or wait for one, ``left`` seconds at most."""
        wait = min(WAIT, left)
        # without `after` the server begins with the first event that the filters can match
        after = [] if self._next == START else [("after", self._next)]
        query = [*after, ("wait", decimal(wait)), ("limit", str(MAX_PAGE)), *self._filters]
        page = self._api.read(_Page, "GET", "events", query=query, wait=wait, retry_for=left)
        self._page.extend(page.items)
        self._next = page.next
        if not self._page:
            self.position = self._next
