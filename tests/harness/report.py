"""The parts of a report: counts as a table, which promises were kept, and examples of broken ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen

from tests.harness.config import HarnessConfig

T = TypeVar("T")

Counts = Mapping[str, Mapping[Any, int]]
"""Rows of a table: subject, label, number."""


@frozen(kw_only=True)
class RunResult(Generic[T]):
    """What a run observed, and counts for the report."""

    observations: T
    counts: Counts
    seconds: float


class IBrokenPromise(Protocol):
    """A case in which a promise was broken."""

    @property
    def promise(self) -> str:
        """The promise, as it is in the list of them."""


B = TypeVar("B", bound=IBrokenPromise)


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


def examples(promises: Iterable[str], broken: Sequence[B], most: int) -> Iterator[B]:
    """Up to ``most`` cases of each broken promise."""
    for promise in promises:
        yield from [each for each in broken if each.promise == promise][:most]


def conclusion(config: HarnessConfig, broken: Sized) -> str:
    """The end of the summary."""
    return (
        f"{len(broken)} broken promises; all files are kept in {config.directory}" if broken else "every promise kept"
    )
