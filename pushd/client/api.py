"""The calls of the admin API whose answers are read as values, and how arguments are written."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, TypeVar, Unpack

from attrs import define, frozen

from pushd.client.connection import Call, Connection, Json, Query
from pushd.client.errors import UnexpectedAnswer
from pushd.client.reading import read
from pushd.model.admin_api import MAX_PAGE, NOW
from pushd.model.timestamps import to_rfc3339

T = TypeVar("T")


class CallOptions(TypedDict, total=False):
    """What may be given of a call beside its method and path."""

    query: Query
    body: Mapping[str, Any] | None
    key: str | None
    """The idempotency key."""
    wait: float
    """Seconds for which the server may hold its answer."""
    may_repeat: bool
    """False: a second call would do harm."""
    retry_for: float | None
    """Seconds after the first attempt within which another one may begin; None: those of the client."""


@frozen(kw_only=True)
class _Page:
    items: tuple[Any, ...]
    next: str | None = None


@define(eq=False)
class Api:
    """The API of one server; the ``path`` of each call is below ``/v1``."""

    connection: Connection

    def call(self, method: str, *path: str, **options: Unpack[CallOptions]) -> Json:
        """The JSON of the answer."""
        return self.connection.call(Call(method=method, path=path, **options))

    def read(self, kind: type[T], method: str, *path: str, **options: Unpack[CallOptions]) -> T:
        """The answer as a value."""
        return read(kind, self.call(method, *path, **options))

    def whole(self, kind: type[T], *path: str, query: Query = ()) -> tuple[T, ...]:
        """The items of a list without pages."""
        return tuple(read(kind, item) for item in self._page(*path, query=query).items)

    def items(self, kind: type[T], *path: str, query: Query = ()) -> Iterator[T]:
        """The items of a list, whose pages are read when they are needed."""
        cursor: Query = ()
        while True:
            page = self._page(*path, query=[*query, ("limit", str(MAX_PAGE)), *cursor])
            yield from (read(kind, item) for item in page.items)
            if page.next is None:
                return
            cursor = [("cursor", page.next)]

    def entries(self, kind: type[T], *path: str, after: str, query: Query = ()) -> Iterator[T]:
        """The entries of a log, up to its present end."""
        while True:
            page = self._page(*path, query=[*query, ("after", after), ("limit", str(MAX_PAGE))])
            yield from (read(kind, item) for item in page.items)
            if not page.items:
                return
            after = _next(page)

    def end(self, *path: str) -> str:
        """The present end of a log."""
        return _next(self._page(*path, query=[("after", NOW), ("limit", "1")]))

    def _page(self, *path: str, query: Query) -> _Page:
        return self.read(_Page, "GET", *path, query=query)


def _next(page: _Page) -> str:
    if page.next is None:
        raise UnexpectedAnswer("the log has no end")
    return page.next


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of those that are not None."""
    return to_json({name: value for name, value in fields.items() if value is not None})


def to_json(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of fields, some of which may be times."""
    return {name: _time(value) if isinstance(value, datetime) else value for name, value in fields.items()}


def query_of(**fields: Any) -> list[tuple[str, str]]:
    """The parameters of a query that are not None."""
    return [(name, str(int(value) if isinstance(value, bool) else value)) for name, value in given(fields).items()]


def repeated(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """A parameter of the query for each value.

    :raises TypeError: if the values are one string, whose characters would match nothing.
    """
    if isinstance(values, str):
        raise TypeError(f"{name}s must be a list of strings, not {values!r}")
    return [(name, value) for value in values]


def _time(moment: datetime) -> str:
    """RFC 3339.

    :raises ValueError: if it has no time zone: which moment it is depends on the machine.
    """
    if moment.tzinfo is None:
        raise ValueError(f"must have a time zone, such as datetime.now(UTC), not {moment!r}")
    return to_rfc3339(round(moment.timestamp() * 1000))
