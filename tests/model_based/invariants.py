"""What must hold of a store and its model after each step."""

from typing import Any

from pushd.model.command import Command
from pushd.model.device import QueueDepth
from pushd.model.event import Event
from pushd.model.lifecycle import Delivery, State
from pushd.model.timestamps import Now
from pushd.store.filters import CommandFilter, EventFilter
from tests.model_based.command_model import ANY_TEXT, CommandModel
from tests.model_based.comparison import ALL, ModelComparison
from tests.model_based.device_model import ExpectedEvent
from tests.model_based.strategies import DEVICES
from tests.results import result_of
from tests.store.clock import when


def commands_are_equal(both: ModelComparison) -> None:
    """Each command has the state, evidence and timestamps of the model, and what its sender asked for."""
    listed = result_of(both.store.commands(CommandFilter(), None, ALL))
    assert [command.id for command in listed] == sorted(both.model.commands, reverse=True)
    for command in listed:
        expected = both.model.commands[command.id]
        stored = result_of(both.store.command(command.id))
        assert _stored_fields(stored) == _expected_fields(expected), command.id
        assert bool(stored.error) if expected.error == ANY_TEXT else stored.error == expected.error, command.id


_MODELLED = (
    "max_attempts created_at expires_at acknowledged_at finished_at result late evidence matched_by resent_as"
).split()
_DRAFTED = "device payload lease created_by resend_of idempotency_key".split()
_OPTIONS = "ttl delivery priority not_before deadline".split()


def _expected_fields(command: CommandModel) -> dict[str, Any]:
    fields = {"state": command.state, "attempts": len(command.attempts), "sent_at": command.sent_at}
    for source, names in ((command, _MODELLED), (command.draft, _DRAFTED), (command.draft.terms, _OPTIONS)):
        fields |= {name: getattr(source, name) for name in names}
    return fields


def _stored_fields(command: Command) -> dict[str, Any]:
    names = ("state", "attempts", "sent_at", *_MODELLED, *_DRAFTED, *_OPTIONS)
    return {name: getattr(command, name) for name in names}


def nothing_is_sent_too_often(both: ModelComparison) -> None:
    """A command is sent once, or as often as its sender allowed, apart from attempts of which no byte was written."""
    for name, times in both.sent.items():
        if name in both.model.commands:
            terms = both.model.commands[name].draft.terms
            assert times <= (terms.max_attempts if terms.delivery is Delivery.AT_LEAST_ONCE else 1), name


def leases_are_equal(both: ModelComparison) -> None:
    """Each command in flight has the rest of its lease, and no other has a lease."""
    for name, command in both.model.commands.items():
        until = command.lease_until
        left = None if until is None else max(until - both.now.steady, 0)
        assert result_of(when(both.store, both.now).command_context(name)).lease_left == left, name


def queue_depths_are_equal(both: ModelComparison) -> None:
    """The commands of each device that are queued and in flight are counted."""
    for name in DEVICES:
        commands = both.model.commands_of(name)
        queued = sum(command.state is State.QUEUED for command in commands)
        in_flight = sum(command.in_flight for command in commands)
        assert both.store.queue_depth(name) == QueueDepth(queue=queued, in_flight=in_flight)


def events_are_equal(both: ModelComparison) -> None:
    """Listeners were called with all changes in order, and the newest of these events are stored."""
    assert [_expected_event(event) for event in both.events] == both.model.events
    after = max(0, result_of(both.store.last_event()) - 10)
    stored = result_of(both.store.events(EventFilter(), after, ALL)).items
    assert list(stored) == sorted(both.events, key=lambda event: event.seq)[after:]


def _expected_event(event: Event) -> ExpectedEvent:
    detail = {"command.sent": "attempt", "command.queued": "reason"}.get(event.type)
    return ExpectedEvent(str(event.type), event.at, event.device, event.command, detail and event.data.get(detail))


def orphans_are_equal(both: ModelComparison) -> None:
    """The newest orphan results of each device are kept."""
    for name in DEVICES:
        kept = [orphan.raw for orphan in result_of(both.store.orphans(name, None, ALL))]
        assert kept == both.model.devices[name].orphans[::-1]


def due_commands_are_indexed(both: ModelComparison) -> None:
    """The index in memory knows when to claim for each device that has a command to be sent."""
    for name in DEVICES:
        sendable = [command for command in both.model.commands_of(name) if command.is_sendable(both.now)]
        if sendable:
            due = when(both.store, both.now).next_due(name)
            assert due is not None, name
            first = min(command.draft.terms.not_before or 0 for command in sendable)
            assert due <= max(both.now.wall, first), name


def expected_results_are_indexed(both: ModelComparison) -> None:
    """The index in memory knows each device from which a result may still come."""
    for command in both.model.commands.values():
        if command.in_flight or command.in_doubt:
            assert command.draft.device in both.result_index


def store_is_consistent(both: ModelComparison) -> None:
    """The store finds no violation in itself, as of the last sweep."""
    violations = result_of(when(both.store, Now(both.lowest, both.now.steady)).fsck())
    assert not violations, violations


def memory_is_as_loaded_anew(both: ModelComparison) -> None:
    """Memory has what a start would read from the database."""
    both.check_memory()


INVARIANTS = (
    memory_is_as_loaded_anew,
    commands_are_equal,
    nothing_is_sent_too_often,
    leases_are_equal,
    queue_depths_are_equal,
    events_are_equal,
    orphans_are_equal,
    due_commands_are_indexed,
    expected_results_are_indexed,
    store_is_consistent,
)
