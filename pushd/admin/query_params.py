"""Queries: what stands behind the question mark."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from typing import TypeVar

from attrs import define

from pushd.http.request import Request
from pushd.model.errors import InvalidQuery
from pushd.model.timestamps import from_rfc3339

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_WAIT = 60.0
"""Seconds."""

MAX_REPEATED = 64
"""Values of one parameter."""

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_NUMBER = re.compile(r"[0-9]{1,18}")

E = TypeVar("E", bound=StrEnum)


@define(eq=False)
class Query:
    """The parameters of a request, each read once by its name."""

    _values: dict[str, list[str]]

    @classmethod
    def of(cls, request: Request, *names: str) -> "Query":
        """The query of a request that knows these names.

        :raises InvalidQuery: if there are others, for they are likely to be misspelled.
        """
        values = {
            name.decode("utf-8", "replace"): [text.decode("utf-8", "replace") for text in texts]
            for name, texts in request.args.items()
        }
        unknown = sorted(set(values) - set(names))
        if unknown:
            known = ", ".join(names) or "none"
            raise InvalidQuery(f"There is no parameter {unknown[0]} here; those that there are: {known}.")
        return cls(values)

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a parameter that may repeat."""
        values = tuple(self._values.get(name, ()))
        if len(values) > MAX_REPEATED:
            raise InvalidQuery(f"{name} may be given at most {MAX_REPEATED} times.")
        return values

    def text(self, name: str) -> str | None:
        """The value of a parameter, or None."""
        return next(iter(self._values.get(name, ())), None)

    def flag(self, name: str) -> bool:
        """Whether a parameter is 1."""
        value = self.text(name) or "0"
        if value not in ("0", "1"):
            raise InvalidQuery(f"{name} must be 0 or 1.")
        return value == "1"

    def either(self, name: str) -> bool | None:
        """Whether a parameter is 1; None if it is not there, which means both."""
        return None if self.text(name) is None else self.flag(name)

    def seconds(self, name: str, most: float = MAX_WAIT) -> float | None:
        """A duration in seconds, or None."""
        text = self.text(name)
        if text is None:
            return None
        if not _DECIMAL.fullmatch(text) or float(text) > most:
            raise InvalidQuery(f"{name} must be 0 to {most:g} seconds.")
        return float(text)

    def limit(self) -> int:
        """How many entries a list gives."""
        text = self.text("limit") or str(DEFAULT_LIMIT)
        if not (_NUMBER.fullmatch(text) and 1 <= int(text) <= MAX_LIMIT):
            raise InvalidQuery(f"limit must be 1 to {MAX_LIMIT}.")
        return int(text)

    def one_of(self, name: str, kinds: type[E]) -> E | None:
        """One of an enum's values, or None."""
        text = self.text(name)
        try:
            return None if text is None else kinds(text)
        except ValueError:
            raise InvalidQuery(f"{name} must be one of {', '.join(kinds)}.") from None

    def moment(self, name: str) -> int | None:
        """A time, or None."""
        text = self.text(name)
        try:
            return None if text is None else from_rfc3339(text)
        except ValueError as error:
            raise InvalidQuery(f"{name} must be an RFC 3339 time such as 2026-01-02T03:04:05Z: {error}.") from None

    def cursor(self) -> str | None:
        """Where a list goes on, or None for its beginning."""
        text = self.text("cursor")
        try:
            return None if text is None else urlsafe_b64decode(text.encode("ascii")).decode("utf-8")
        except ValueError:
            raise InvalidQuery(_NO_CURSOR) from None

    def numeric_cursor(self) -> int | None:
        """Where a list goes on whose entries have numbers, or None for its beginning."""
        cursor = self.cursor()
        if cursor is not None and not _NUMBER.fullmatch(cursor):
            raise InvalidQuery(_NO_CURSOR)
        return None if cursor is None else int(cursor)


_NO_CURSOR = "cursor must be one that this list gave as next."


def to_cursor(last: str) -> str:
    """An opaque cursor that goes on after ``last``."""
    return urlsafe_b64encode(last.encode("utf-8")).decode("ascii")
