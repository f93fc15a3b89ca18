"""What must be equal, in a store and in the model of what it should do, after whatever happened."""

from typing import Any

from pushd.model.command import Command
from pushd.model.device import QueueDepth
from pushd.model.event import Event
from pushd.model.lifecycle import State
from pushd.model.timestamps import Now
from pushd.store.filters import CommandFilter, EventFilter
from tests.model_based.choices import DEVICES
from tests.model_based.fate import OUR_WORDS, Fate
from tests.model_based.pair import ALL, Pair, gave
from tests.model_based.party import Told


def commands(pair: Pair) -> None:
    """Every command is in its state, with its evidence and its times."""
    listed = gave(pair.store.commands(CommandFilter(), None, ALL))
    assert {command.id for command in listed} == set(pair.model.fates)
    for command in listed:
        fate = pair.model.fates[command.id]
        seen = gave(pair.store.command(command.id))
        assert _seen(seen) == _expected(fate), command.id
        assert bool(seen.error) if fate.error == OUR_WORDS else seen.error == fate.error, command.id


_SAME = (
    "max_attempts created_at expires_at acknowledged_at finished_at result late evidence matched_by resent_as"
).split()


def _expected(fate: Fate) -> dict[str, Any]:
    counted = {"state": fate.state, "attempts": len(fate.attempts), "sent_at": fate.sent_at}
    return counted | {name: getattr(fate, name) for name in _SAME}


def _seen(command: Command) -> dict[str, Any]:
    return {name: getattr(command, name) for name in ("state", "attempts", "sent_at", *_SAME)}


def leases(pair: Pair) -> None:
    """What is out has what is left of its time."""
    for name, fate in pair.model.fates.items():
        if fate.lease_until is not None:
            left = max(fate.lease_until - pair.now.steady, 0)
            assert gave(pair.store.command_context(name, pair.now)).lease_left == left, name


def loads(pair: Pair) -> None:
    """What waits for each device, and what is out at it, is counted."""
    for name in DEVICES:
        fates = pair.model.of(name)
        waiting = sum(fate.state is State.QUEUED for fate in fates)
        assert gave(pair.store.queue_depth(name)) == QueueDepth(
            queue=waiting, in_flight=sum(fate.is_out for fate in fates)
        )


def feed(pair: Pair) -> None:
    """What listeners heard is what changed, in order, and the newest of it is kept."""
    assert [_told(event) for event in pair.heard] == pair.model.feed
    after = max(0, gave(pair.store.last_event()) - 10)
    kept = gave(pair.store.events(EventFilter(), after, ALL)).items
    assert list(kept) == sorted(pair.heard, key=lambda event: event.seq)[after:]


def _told(event: Event) -> Told:
    why = {"command.sent": "attempt", "command.queued": "reason"}.get(event.type)
    return Told(str(event.type), event.at, event.device, event.command, why and event.data.get(why))


def orphans(pair: Pair) -> None:
    """What settled nothing can be seen, the newest of each device first."""
    for name in DEVICES:
        kept = [orphan.raw for orphan in gave(pair.store.orphans(name, None, ALL))]
        assert kept == pair.model.parties[name].orphans[::-1]


def reachable(pair: Pair) -> None:
    """Memory knows of each device when to look for what waits for it."""
    for name in DEVICES:
        waiting = [fate for fate in pair.model.of(name) if fate.is_waiting(pair.now)]
        if waiting:
            due = pair.command_index.due(name)
            assert due is not None, name
            assert due <= max(pair.now.wall, min(fate.draft.terms.not_before or 0 for fate in waiting)), name


def expected(pair: Pair) -> None:
    """Memory knows of each device for which a result may still come."""
    for fate in pair.model.fates.values():
        if fate.is_out or fate.is_in_doubt:
            assert fate.draft.device in pair.result_index


def soundness(pair: Pair) -> None:
    """The store finds no flaw in itself, as of the last sweep."""
    flaws = gave(pair.store.fsck(Now(pair.lowest, pair.now.steady)))
    assert not flaws, flaws


CHECKS = (commands, leases, loads, feed, orphans, reachable, expected, soundness)
