"""Which devices an operation must hold: their rows are locked, and what they have is loaded, before it runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from pushd.rules.view import Rule
from pushd.store.group_commit import Operation, PendingTransaction
from pushd.store.overlay import decide, decide_all
from pushd.store.postgres import sightings
from pushd.store.transaction import act
from pushd.store.transactions import devices


class Named(NamedTuple):
    """The devices that an operation is about, some of them by their commands, and what it looks at beside them."""

    devices: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    """Those of which only the id is known, so that it names their devices."""
    ended: tuple[str, ...] = ()
    """Commands that may have ended."""
    keys: tuple[tuple[str, str, str], ...] = ()
    """Who created a command, its device, and its idempotency key."""
    uuids: tuple[tuple[str, str], ...] = ()
    """Devices, each with the uuid of a handover."""
    newest: tuple[str, ...] = ()
    """Devices whose newest handover is looked at."""
    tokens: tuple[str, ...] = ()
    """Those that admit what is put."""

    @classmethod
    def together(cls, parts: Iterable["Named"]) -> "Named":
        """What several operations name, each of it once."""
        return cls(*(tuple(dict.fromkeys(chain.from_iterable(each))) for each in zip(*parts, strict=True)))


_NOTHING = Named()


def _of_rule(rule: Rule[object]) -> Named:
    needs = rule.needs()
    device = needs.device
    if device is None:
        return Named(commands=needs.commands, ended=needs.commands)
    return Named(
        devices=(device,),
        ended=needs.commands,
        keys=() if needs.key is None else ((needs.key[0], device, needs.key[1]),),
        uuids=() if needs.uuid is None else ((device, needs.uuid),),
        newest=(device,) if needs.newest else (),
        tokens=() if needs.token is None else (needs.token,),
    )


def _of_rules(rules: Iterable[Rule[object]]) -> Named:
    return Named.together(map(_of_rule, rules))


def _of_device(device: str, *_: Any) -> Named:
    return Named((device,))


def _of_devices(names: Iterable[str], *_: Any) -> Named:
    return Named(tuple(names))


_OF: Mapping[Operation[Any], Callable[..., Named]] = {
    decide: _of_rule,
    decide_all: _of_rules,
    devices.change_device: _of_device,
    devices.change_devices: _of_devices,
    devices.forget_device: _of_device,
    devices.add_proof: _of_device,
    sightings.set_presence: _of_device,
    sightings.serve: _of_devices,
    sightings.mark_offline: _of_devices,
}


def named_by(pending: PendingTransaction) -> Named:
    """What an operation must hold; nothing, if its own statements lock what they change."""
    operation, args = unwrapped(pending)
    find = _OF.get(operation)
    return _NOTHING if find is None else find(*args)


def unwrapped(pending: PendingTransaction) -> tuple[Operation[Any], Sequence[Any]]:
    """The operation itself with its arguments, also if it runs for an actor."""
    if pending.operation is act:
        _, operation, *args = pending.args
        return operation, args
    return pending.operation, pending.args
