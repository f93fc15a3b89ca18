"""The book: every figure of a run, who came to none and why."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen


@frozen(kw_only=True)
class Quantity:
    """What is measured: its name, its unit, and whether more of it is better."""

    name: str
    unit: str
    more: bool = False
    extreme: bool = False
    """Whether the worst of all runs counts, and not their median."""


def rate(name: str) -> Quantity:
    """How often something is done in a second."""
    return Quantity(name=name, unit="/s", more=True)


def milliseconds(name: str, extreme: bool = False) -> Quantity:
    """How long something takes."""
    return Quantity(name=name, unit="ms", extreme=extreme)


FSYNC = milliseconds("fsync of this disk")
"""Measured at the beginning of each part; some targets are told in it."""


@define(eq=False)
class Book:
    """Takes figures while they are measured, and gives the one that counts of each."""

    quantities: dict[str, Quantity] = field(factory=dict, init=False)
    values: dict[str, dict[str, list[float]]] = field(factory=dict, init=False)
    """By the quantity's name, then by who."""
    broken: dict[tuple[str, str], str] = field(factory=dict, init=False)
    """Why somebody came to no figure, by the part and who."""
    notes: list[str] = field(factory=list, init=False)

    def write(self, quantity: Quantity, who: str, value: float) -> None:
        """Take the figure of one run."""
        self.quantities[quantity.name] = quantity
        self.values.setdefault(quantity.name, {}).setdefault(who, []).append(value)

    def figure(self, name: str, who: str) -> float | None:
        """The figure that counts: the median of all runs, or the worst."""
        values = self.values.get(name, {}).get(who)
        if not values:
            return None
        return max(values) if self.quantities[name].extreme else statistics.median(values)

    def who(self, name: str) -> Sequence[str]:
        """Who has a figure of this quantity, in the order in which they came."""
        return list(self.values.get(name, {}))

    def as_json(self) -> Mapping[str, Any]:
        """All of it."""
        return {
            "figures": [
                {"work": name, "unit": self.quantities[name].unit, "who": who, "figure": self.figure(name, who)}
                | {"runs": values}
                for name, by_who in self.values.items()
                for who, values in by_who.items()
            ],
            "broken": [{"part": part, "who": who, "why": why} for (part, who), why in self.broken.items()],
            "notes": self.notes,
        }
