"""Who has something queued, and when it may be had: what makes an idle poll free."""

from attrs import define, field

from pushd.model.event import Event, EventType
from pushd.store.filters import Claim, StartupSnapshot
from pushd.store.interface import IStore


@define(eq=False)
class CommandIndex:
    """For each device with something queued, the wall milliseconds from which it is worth looking; 0 is now.

    It may name a device that has nothing any more, until its next look; it never lacks one that has.
    """

    _due: dict[str, int] = field(factory=dict, init=False)

    def load(self, known: StartupSnapshot) -> None:
        """Start from what the store knows."""
        self._due.update(dict.fromkeys(known.queued, 0))

    def expect(self, device: str) -> None:
        """There is something for this device, or will be as soon as somebody can look."""
        self._due[device] = 0

    def follow(self, store: IStore) -> None:
        """Hear of what is queued from now on, and of who is forgotten."""
        store.subscribe(self._heard, EventType.COMMAND_QUEUED, EventType.DEVICE_DELETED)

    def _heard(self, event: Event) -> None:
        assert event.device is not None, "each of these is about one"
        if event.type is EventType.COMMAND_QUEUED:
            self.expect(event.device)
        else:
            self._due.pop(event.device, None)

    def looked(self, device: str, claim: Claim) -> None:
        """Learn what a look found; looks and events come in the order of their commits."""
        if claim.due is None:
            self._due.pop(device, None)
        else:
            self._due[device] = claim.due

    def due(self, device: str) -> int | None:
        """When to look for this device, or None if there is nothing."""
        return self._due.get(device)
