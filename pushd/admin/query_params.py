"""Query parameters: the part of a URL behind the question mark, checked and converted."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import TypeVar

from attrs import define

from pushd.http.request import Request
from pushd.model.admin_api import MAX_PAGE, MAX_WAIT
from pushd.model.errors import InvalidQuery
from pushd.model.timestamps import from_rfc3339

DEFAULT_LIMIT = 50
MAX_OVERLAP = 30 * 86400.0
"""Seconds that an old secret may stay valid beside a new one."""

MAX_REPEATED = 64
"""Values of one parameter."""

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,30})?(e[+-]?[0-9]{1,3})?", re.ASCII | re.IGNORECASE)
"""A number that is not negative, as JSON has it."""

_NUMBER = re.compile(r"[0-9]{1,18}")

S = TypeVar("S", bound=str)


@define(eq=False)
class Query:
    """The parameters of a request; a value that is missing is None unless a method says otherwise."""

    _values: dict[str, list[str]]

    @classmethod
    def of(cls, request: Request, *names: str) -> "Query":
        """The query of a request that may have parameters with these names.

        :raises InvalidQuery: if it has others, which are probably misspelled.
        """
        values = {
            name.decode("utf-8", "replace"): [text.decode("utf-8", "replace") for text in texts]
            for name, texts in request.args.items()
        }
        unknown = sorted(set(values) - set(names))
        if unknown:
            known = ", ".join(names) or "none"
            raise InvalidQuery(f"Unknown parameter {unknown[0]}; the parameters here are: {known}.")
        return cls(values)

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a parameter that may repeat, as often as it was given."""
        values = tuple(self._values.get(name, ()))
        if len(values) > MAX_REPEATED:
            raise InvalidQuery(f"{name} may be given at most {MAX_REPEATED} times.")
        return values

    def text(self, name: str) -> str | None:
        """The first value of a parameter."""
        return next(iter(self._values.get(name, ())), None)

    def flag(self, name: str) -> bool:
        """Whether a parameter is 1; False if it is missing."""
        value = self.text(name)
        if value not in (None, "0", "1"):
            raise InvalidQuery(f"{name} must be 0 or 1.")
        return value == "1"

    def optional_flag(self, name: str) -> bool | None:
        """Whether a parameter is 1."""
        return None if self.text(name) is None else self.flag(name)

    def seconds(self, name: str, most: float = MAX_WAIT) -> float | None:
        """A duration of 0 to ``most`` seconds."""
        text = self.text(name)
        if text is None:
            return None
        if not _DECIMAL.fullmatch(text) or float(text) > most:
            raise InvalidQuery(f"{name} must be 0 to {most:.0f} seconds.")
        return float(text)

    def overlap(self) -> float:
        """How long an old secret stays valid, in seconds; 0 if it is missing."""
        return self.seconds("overlap", MAX_OVERLAP) or 0

    def limit(self, default: int = DEFAULT_LIMIT) -> int:
        """The maximum number of entries in a list; a default if it is missing."""
        text = self.text("limit")
        if text is None:
            return default
        if not (_NUMBER.fullmatch(text) and 1 <= int(text) <= MAX_PAGE):
            raise InvalidQuery(f"limit must be 1 to {MAX_PAGE}.")
        return int(text)

    def one_of(self, name: str, kinds: Iterable[S]) -> S | None:
        """One of some strings, or a member of an enum of strings."""
        text = self.text(name)
        return None if text is None else _find(name, text, kinds)

    def each_of(self, name: str, kinds: Iterable[S]) -> tuple[S, ...]:
        """The same of a parameter that may repeat, and be several with commas between them."""
        return tuple(_find(name, each, kinds) for text in self.texts(name) for each in text.split(","))

    def timestamp(self, name: str) -> int | None:
        """A time in wall milliseconds."""
        text = self.text(name)
        try:
            return None if text is None else from_rfc3339(text)
        except ValueError as error:
            raise InvalidQuery(f"{name} must be an RFC 3339 time such as 2026-01-02T03:04:05Z: {error}.") from None

    def cursor(self) -> str | None:
        """The id after which a list continues."""
        text = self.text("cursor")
        try:
            return None if text is None else urlsafe_b64decode(text.encode("ascii")).decode("utf-8")
        except ValueError:
            raise InvalidQuery(_INVALID_CURSOR) from None

    def numeric_cursor(self) -> int | None:
        """The id after which a list continues whose ids are numbers."""
        cursor = self.cursor()
        if cursor is not None and not _NUMBER.fullmatch(cursor):
            raise InvalidQuery(_INVALID_CURSOR)
        return None if cursor is None else int(cursor)


NO_QUERY = Query({})


def _find(name: str, text: str, kinds: Iterable[S]) -> S:
    known = {str(kind): kind for kind in kinds}
    if text not in known:
        raise InvalidQuery(f"{name} must be one of {', '.join(known)}.")
    return known[text]


_INVALID_CURSOR = "cursor must be the next of an earlier page of this list."


def to_cursor(last: str) -> str:
    """An opaque cursor for the page after the entry with the id ``last``."""
    return urlsafe_b64encode(last.encode("utf-8")).decode("ascii")
