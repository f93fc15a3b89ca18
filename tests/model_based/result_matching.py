"""The reference model of matching: which commands a device's result is about; written from the protocol pages."""

from collections.abc import Sequence

from attrs import frozen

from pushd.model.result import DeviceResult
from tests.model_based.command_model import Attempt, CommandModel
from tests.store.samples import StubResult


@frozen
class Match:
    """The attempts that a result is about, and how they were found."""

    attempts: Sequence[Attempt]
    matched_by: str

    def parts(self, result: StubResult) -> list[tuple[Attempt, str, StubResult]]:
        """Each attempt that the result has a part about, how it was found, and that part."""
        parts = ((attempt, _part(attempt, result)) for attempt in self.attempts)
        return [(attempt, self.matched_by, part) for attempt, part in parts if part is not None]


def _part(attempt: Attempt, result: StubResult) -> StubResult | None:
    part: DeviceResult | None = result if attempt.position is None else result.part(attempt.position)
    assert part is None or isinstance(part, StubResult)
    return part


def find(attempts: Sequence[Attempt], commands: Sequence[CommandModel], result: StubResult) -> Match | None:
    """What a result is about, of all that was sent to its device; None: nothing."""
    if result.message is not None:
        return _by_message(commands, result.message)
    same_uuid = [attempt for attempt in attempts if attempt.uuid is not None and attempt.uuid == result.uuid]
    if same_uuid:
        return Match(same_uuid[-1].batch, "uuid")
    found = _by_order(attempts, result)
    return Match(found.batch, "order") if found is not None and _fits(found, result) else None


def _by_message(commands: Sequence[CommandModel], message: str) -> Match | None:
    """The message id is the same for each attempt, so the result is about the latest."""
    found = [command for command in commands if command.id == message and command.attempts]
    return Match(found[0].attempts[-1:], "message") if found else None


def _by_order(attempts: Sequence[Attempt], result: StubResult) -> Attempt | None:
    """The newest attempt if it is in flight, or if the result repeats its result; else the newest one in doubt."""
    if not attempts:
        return None
    newest = attempts[-1]
    if any(attempt.in_flight for attempt in newest.batch):
        return newest
    if _fits(newest, result) and any(_repeats(attempt, result) for attempt in newest.batch):
        return newest
    return next((attempt for attempt in reversed(attempts) if attempt.command.in_doubt), None)


def _fits(attempt: Attempt, result: StubResult) -> bool:
    """Whether uuid and endpoint allow the match: at most one of both has a uuid, and the endpoint is the same."""
    endpoints = [each.command.draft.payload["endpoint"] for each in attempt.batch]
    no_uuid = result.uuid is None or attempt.uuid is None
    return no_uuid and (result.endpoint is None or result.endpoint in endpoints)


def _repeats(attempt: Attempt, result: StubResult) -> bool:
    part = _part(attempt, result)
    return part is not None and part.result is not None and part.result == attempt.command.result
