"""The parts of a report: counts as a table, and which promises were kept."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Counts = Mapping[str, Mapping[Any, int]]
"""Rows of a table: subject, label, number."""


def table(counts: Counts, width: int) -> Iterator[str]:
    """The rows as lines, in which labels have ``width`` characters."""
    for subject, rows in counts.items():
        for label, times in sorted(rows.items()):
            yield f"  {subject:<10}{label:<{width}}{times:>8}"


def verdicts(promises: Sequence[str], broken: Iterable[str], is_checked: bool) -> Iterator[str]:
    """A line for each promise; ``broken`` has a promise as often as it was broken."""
    times, width = Counter(broken), max(map(len, promises)) + 4
    unbroken = "kept" if is_checked else "not checked"
    yield ""
    for promise in promises:
        yield f"  {promise:<{width}}{f'BROKEN {times[promise]} times' if times[promise] else unbroken}"
    yield ""
