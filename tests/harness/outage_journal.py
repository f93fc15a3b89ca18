"""When simulated devices really were offline, from their journal."""

from collections.abc import Iterable, Iterator

from attrs import frozen

from pushd.model.timestamps import from_rfc3339
from tests.harness.admin_api import Json


@frozen
class Span:
    """A moment that is known to lie between these two, or a period; in milliseconds since the epoch."""

    earliest: int
    latest: int


def offline_periods(journal: Iterable[Json]) -> Iterator[tuple[str, Span]]:
    """The periods in which devices really were offline without having signed off, from the simulator's journal."""
    since: dict[str, int] = {}
    for line in journal:
        at = from_rfc3339(line["time"])
        if line["did"] == "went-offline":
            since[line["device"]] = at
        elif line["did"] == "came-back" and line["device"] in since:
            yield line["device"], Span(since.pop(line["device"]), at)
