"""Epochs: each start of a server numbers events and alerts anew by a random name, so that a copy repeats no id."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from attrs import define, field, frozen

_ID = re.compile(r"(?:([0-9a-f]{12})-)?([0-9]{1,18})", re.ASCII)


@frozen
class Epoch:
    """One start of a server: its events and alerts have these numbers and greater ones, up to those of the next."""

    name: str
    first_event: int
    first_alert: int


def public_id(epoch: str, number: int) -> str:
    """The id of an event or alert outside of the store: unique for ever, also across a restored backup.

    Events and alerts of versions without epochs have no epoch, and keep their number as id.
    """
    return f"{epoch}-{number}" if epoch else str(number)


def is_public_id(text: str) -> bool:
    """Whether a text has the form of the id of an event or alert, of any database."""
    return _ID.fullmatch(text) is not None


@define(eq=False)
class Epochs:
    """The epochs of a database, in their order; the first is that of versions without epochs, and has no name."""

    _epochs: list[Epoch] = field(factory=lambda: [Epoch("", 0, 0)], init=False)

    def load(self, epochs: Sequence[Epoch]) -> None:
        """Start with the epochs of a database."""
        self._epochs += epochs

    @property
    def current(self) -> str:
        """The name of the newest epoch."""
        return self._epochs[-1].name

    def event_id(self, number: int) -> str:
        """The id of the event with this number, or of the position after it."""
        return public_id(self._epochs[bisect_right(self._epochs, number, key=_first_event) - 1].name, number)

    def event_number(self, text: str) -> int | None:
        """The number of an event, or None if this database never had it; the newest epoch may not have it yet."""
        return self._number(text, _first_event)

    def alert_number(self, text: str) -> int | None:
        """The number of an alert, as :meth:`event_number`."""
        return self._number(text, _first_alert)

    def _number(self, text: str, first: "attrgetter[int]") -> int | None:
        match = _ID.fullmatch(text)
        if match is None:
            return None
        name, number = match[1] or "", int(match[2])
        for place, epoch in enumerate(self._epochs):
            if epoch.name == name:
                later = self._epochs[place + 1 :]
                known = first(epoch) - 1 <= number and (not later or number < first(later[0]))
                return number if known else None
        return None


_first_event: "attrgetter[int]" = attrgetter("first_event")
_first_alert: "attrgetter[int]" = attrgetter("first_alert")
