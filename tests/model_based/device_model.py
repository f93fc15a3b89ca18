"""The reference model of a device, and of events."""

from attrs import define, field, frozen

from pushd.model.device import Admission, PresenceState
from pushd.model.dialect import Batchable
from tests.model_based.command_model import Attempt


@frozen
class ExpectedEvent:
    """An event, as far as the design fixes it; ``detail`` is the number of the attempt, or the reason."""

    type: str
    at: int
    device: str | None
    command: str | None = None
    detail: object = None


@frozen
class Poll:
    """A poll of a device."""

    device: str
    uuid: str | None
    one_at_a_time: bool
    """Whether the device repeats a poll under one uuid until it has reported."""
    limit: int
    batchable: Batchable


@define(eq=False)
class DeviceModel:
    """A device, with all attempts that were ever sent to its id."""

    admission: Admission | None = None
    """None while the device does not exist."""
    presence: PresenceState = PresenceState.NEVER_SEEN
    attempts: list[Attempt] = field(factory=list)
    orphans: list[bytes] = field(factory=list)

    def repeats(self, poll: Poll) -> bool:
        """Whether a poll has the uuid under which a command is in flight."""
        if not poll.one_at_a_time or poll.uuid is None or not self.attempts:
            return False
        newest = self.attempts[-1]
        return newest.uuid == poll.uuid and any(attempt.in_flight for attempt in newest.batch)
