"""Which commands a device's result is about, in plain Python, written from the protocol pages."""

from collections.abc import Sequence

from attrs import frozen

from pushd.model.result import DeviceResult
from tests.model_based.fate import Attempt, Fate
from tests.store.samples import StubResult


@frozen
class Match:
    """The attempts that a result is about, and how we know."""

    attempts: Sequence[Attempt]
    matched_by: str

    def parts(self, report: StubResult) -> list[tuple[Attempt, str, StubResult]]:
        """Each attempt that the result speaks of, how we know, and what it says."""
        told = ((attempt, _part(attempt, report)) for attempt in self.attempts)
        return [(attempt, self.matched_by, part) for attempt, part in told if part is not None]


def _part(attempt: Attempt, report: StubResult) -> StubResult | None:
    part: DeviceResult | None = report if attempt.place is None else report.part(attempt.place)
    assert part is None or isinstance(part, StubResult)
    return part


def find(attempts: Sequence[Attempt], fates: Sequence[Fate], report: StubResult) -> Match | None:
    """What a result of a device is about, of all that was handed to it; None: nothing."""
    if report.message is not None:
        return _by_message(fates, report.message)
    named = [attempt for attempt in attempts if attempt.uuid is not None and attempt.uuid == report.uuid]
    if named:
        return Match(named[-1].together, "uuid")
    found = _by_order(attempts, report)
    return Match(found.together, "order") if found is not None and _fits(found, report) else None


def _by_message(fates: Sequence[Fate], message: str) -> Match | None:
    """A message has its id on every attempt, so that its result is about the latest."""
    named = [fate for fate in fates if fate.draft.id == message and fate.attempts]
    return Match(named[0].attempts[-1:], "message") if named else None


def _by_order(attempts: Sequence[Attempt], report: StubResult) -> Attempt | None:
    """The one out, which is the newest; else the latest that lapsed, unless it only repeats what ended the newest."""
    if not attempts:
        return None
    newest = attempts[-1]
    if any(attempt.is_out for attempt in newest.together):
        return newest
    if _fits(newest, report) and any(_repeats(attempt, report) for attempt in newest.together):
        return newest
    return next((attempt for attempt in reversed(attempts) if attempt.fate.is_in_doubt), None)


def _fits(attempt: Attempt, report: StubResult) -> bool:
    """Whether names do not speak against it: a uuid on one side only, and no other endpoint."""
    endpoints = [each.fate.draft.payload["endpoint"] for each in attempt.together]
    nameless = report.uuid is None or attempt.uuid is None
    return nameless and (report.endpoint is None or report.endpoint in endpoints)


def _repeats(attempt: Attempt, report: StubResult) -> bool:
    part = _part(attempt, report)
    return part is not None and part.result is not None and part.result == attempt.fate.result
