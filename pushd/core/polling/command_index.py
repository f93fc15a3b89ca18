"""What memory knows of each device's commands: whether any is queued, and whether a result may still come.

An idle poll, and a body that no command expects, then cost no query.
"""

from attrs import define, field

from pushd.model.event import Event, EventType
from pushd.rules.outcomes import Claim
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore

_SENT = frozenset({EventType.COMMAND_SENT, EventType.COMMAND_ACKNOWLEDGED, EventType.COMMAND_UNKNOWN})
_FINAL = frozenset(
    {
        EventType.COMMAND_SUCCEEDED,
        EventType.COMMAND_FAILED,
        EventType.COMMAND_RESOLVED,
        EventType.COMMAND_EXPIRED,
        EventType.COMMAND_CANCELLED,
    }
)


@define(eq=False)
class CommandIndex:
    """For each device with queued commands, the wall milliseconds from which a claim may succeed; 0 means now.

    It may name a device whose queue is empty by now, until the next claim; it never lacks one that has commands.
    """

    _due: dict[str, int] = field(factory=dict, init=False)

    def load(self, snapshot: StartupSnapshot) -> None:
        """Start with the devices that have queued commands."""
        self._due.update(dict.fromkeys(snapshot.queued, 0))

    def subscribe(self, store: IStore) -> None:
        """Follow the events of ``store`` from now on."""
        store.subscribe(self._on_event, EventType.COMMAND_QUEUED, EventType.DEVICE_DELETED)

    def add(self, device: str) -> None:
        """A command of this device is queued, or is about to be."""
        self._due[device] = 0

    def due(self, device: str) -> int | None:
        """From when on a claim may succeed, or None if nothing is queued."""
        return self._due.get(device)

    def devices_with_due_time(self) -> list[str]:
        """The devices whose next command is not due yet."""
        return [device for device, due in self._due.items() if due]

    def update(self, device: str, claim: Claim) -> None:
        """Learn from a claim; claims and events arrive in the order of their commits."""
        if claim.due is None:
            self._due.pop(device, None)
        else:
            self._due[device] = claim.due

    def _on_event(self, event: Event) -> None:
        assert event.device is not None, "both types are about a device"
        if event.type is EventType.COMMAND_QUEUED:
            self.add(event.device)
        else:
            self._due.pop(event.device, None)


@define(eq=False)
class ResultIndex:
    """The commands of each device for which a result may come: those that were sent and have no final result."""

    _commands: dict[str, set[str]] = field(factory=dict, init=False)

    def load(self, snapshot: StartupSnapshot) -> None:
        """Start with the stored commands that may get a result."""
        for device, command in snapshot.result_index:
            self._commands.setdefault(device, set()).add(command)

    def subscribe(self, store: IStore) -> None:
        """Follow the events of ``store`` from now on."""
        store.subscribe(self._on_event, *_SENT, *_FINAL)

    def __contains__(self, device: str) -> bool:
        return device in self._commands

    def _on_event(self, event: Event) -> None:
        assert event.device is not None, "all these types are about a device"
        assert event.command is not None, "and about a command"
        if event.type in _SENT:
            self._commands.setdefault(event.device, set()).add(event.command)
        else:
            self._remove(event.device, event.command)

    def _remove(self, device: str, command: str) -> None:
        commands = self._commands.get(device)
        if commands is not None:
            commands.discard(command)
            if not commands:
                del self._commands[device]
