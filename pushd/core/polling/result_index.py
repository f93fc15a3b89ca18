"""Which commands a result may still come for: what decides whether a large body is worth reading."""

from attrs import define, field

from pushd.model.event import Event, EventType
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore

_OPENING = frozenset({EventType.COMMAND_SENT, EventType.COMMAND_ACKNOWLEDGED, EventType.COMMAND_UNKNOWN})
_CLOSING = frozenset(
    {
        EventType.COMMAND_SUCCEEDED,
        EventType.COMMAND_FAILED,
        EventType.COMMAND_RESOLVED,
        EventType.COMMAND_EXPIRED,
        EventType.COMMAND_CANCELLED,
    }
)


@define(eq=False)
class ResultIndex:
    """The commands of each device that are out, in doubt, or were sent before and are queued again."""

    _commands: dict[str, set[str]] = field(factory=dict, init=False)

    def load(self, known: StartupSnapshot) -> None:
        """Start from what the store knows."""
        for device, command in known.result_index:
            self._commands.setdefault(device, set()).add(command)

    def follow(self, store: IStore) -> None:
        """Hear of what becomes of commands from now on."""
        store.subscribe(self._heard, *_OPENING, *_CLOSING)

    def _heard(self, event: Event) -> None:
        assert event.device is not None, "each of these is about one"
        assert event.command is not None, "and about a command"
        if event.type in _OPENING:
            self._commands.setdefault(event.device, set()).add(event.command)
        else:
            self._drop(event.device, event.command)

    def __contains__(self, device: str) -> bool:
        return device in self._commands

    def _drop(self, device: str, command: str) -> None:
        commands = self._commands.get(device)
        if commands is not None:
            commands.discard(command)
            if not commands:
                del self._commands[device]
