"""The results of a run: all figures, and which measurements failed and why."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field, frozen


@frozen(kw_only=True)
class Metric:
    """What is measured: its name, its unit, and whether more is better."""

    name: str
    unit: str
    more: bool = False
    worst: bool = False
    """Whether the worst run counts, instead of the median."""


def rate(name: str) -> Metric:
    """How often something is done per second."""
    return Metric(name=name, unit="/s", more=True)


def milliseconds(name: str, worst: bool = False) -> Metric:
    """How long something takes."""
    return Metric(name=name, unit="ms", worst=worst)


def cpu_time(name: str) -> Metric:
    """How much CPU time of the server something takes: less disturbed by other programs than its duration."""
    return Metric(name=f"{name}, CPU each", unit="us")


FSYNC = milliseconds("fsync of this disk")
"""Measured at the start of each part; some targets are relative to it."""


@define(eq=False)
class Results:
    """Collects the figures of all runs, and summarizes them."""

    metrics: dict[str, Metric] = field(factory=dict, init=False)
    values: dict[str, dict[str, list[float]]] = field(factory=dict, init=False)
    """By the names of the metric and the server."""
    failures: dict[tuple[str, str], str] = field(factory=dict, init=False)
    """Why a measurement failed, by the names of the part and the server."""
    notes: list[str] = field(factory=list, init=False)

    def add(self, metric: Metric, server: str, value: float) -> None:
        """Add the figure of one run."""
        self.metrics[metric.name] = metric
        self.values.setdefault(metric.name, {}).setdefault(server, []).append(value)

    def figure(self, metric: str, server: str) -> float | None:
        """The median of all runs, or the worst if that counts; None if there is no figure."""
        values = self.values.get(metric, {}).get(server)
        if not values:
            return None
        return max(values) if self.metrics[metric].worst else statistics.median(values)

    def servers(self, metric: str) -> Sequence[str]:
        """The servers that have a figure of this metric, in the order in which they were measured."""
        return list(self.values.get(metric, {}))

    def as_json(self) -> Mapping[str, Any]:
        """All figures, failures and notes."""
        return {
            "figures": [
                {
                    "metric": name,
                    "unit": self.metrics[name].unit,
                    "server": server,
                    "figure": self.figure(name, server),
                }
                | {"runs": values}
                for name, by_server in self.values.items()
                for server, values in by_server.items()
            ],
            "failures": [
                {"part": part, "server": server, "reason": reason} for (part, server), reason in self.failures.items()
            ],
            "notes": self.notes,
        }
