"""A device as the model knows it, and what the feed tells."""

from attrs import define, field, frozen

from pushd.model.device import Admission, PresenceState
from pushd.model.dialect import Batchable
from tests.model_based.fate import Attempt


@frozen
class Told:
    """An entry of the feed, as far as the design fixes it; ``why`` is the attempt, or the reason."""

    type: str
    at: int
    device: str | None
    command: str | None = None
    why: object = None


@frozen
class Poll:
    """What a device asks for when it polls."""

    device: str
    uuid: str | None
    one_at_a_time: bool
    """Whether it takes one answer after the other, and repeats polls under one name."""
    limit: int
    batchable: Batchable


@define(eq=False)
class Party:
    """A device, and all that was ever handed to whoever had its id."""

    admission: Admission | None = None
    """None while it is not known."""
    presence: PresenceState = PresenceState.NEVER_SEEN
    attempts: list[Attempt] = field(factory=list)
    orphans: list[bytes] = field(factory=list)

    def repeats(self, poll: Poll) -> bool:
        """Whether a poll has the name of the one whose answer is out."""
        if not poll.one_at_a_time or poll.uuid is None or not self.attempts:
            return False
        newest = self.attempts[-1]
        return newest.uuid == poll.uuid and any(attempt.is_out for attempt in newest.together)
