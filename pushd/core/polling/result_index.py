"""From which devices a result may still come, so that a body that no command expects costs no query."""

from attrs import define, field

from pushd.model.event import STATE_EVENTS, Event, EventType
from pushd.model.lifecycle import ENDED, OUT, State
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore

_REPORTABLE = frozenset(STATE_EVENTS[state] for state in (*OUT, State.UNKNOWN))
_FINAL = frozenset({EventType.COMMAND_RESOLVED, *(STATE_EVENTS[state] for state in ENDED - {State.UNKNOWN})})


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
        store.subscribe(self._on_event, *_REPORTABLE, *_FINAL)

    def __contains__(self, device: str) -> bool:
        return device in self._commands

    def _on_event(self, event: Event) -> None:
        assert event.device is not None, "all these types are about a device"
        assert event.command is not None, "and about a command"
        if event.type in _REPORTABLE:
            self._commands.setdefault(event.device, set()).add(event.command)
        else:
            self._remove(event.device, event.command)

    def _remove(self, device: str, command: str) -> None:
        commands = self._commands.get(device)
        if commands is not None:
            commands.discard(command)
            if not commands:
                del self._commands[device]
