"""Tells other nodes that what they have copies of has changed, and reads devices that they have changed."""

import json
from collections.abc import Collection, Iterable, Mapping

from pushd.model.device import Proof
from pushd.model.event import EventType
from pushd.store.copies import Copied, StoredDevice
from pushd.store.group_commit import Operation, PendingTransaction
from pushd.store.postgres import feed_tail, ownership
from pushd.store.postgres.feed_tail import Tail
from pushd.store.postgres.needs import unwrapped
from pushd.store.postgres.notifications import notification
from pushd.store.postgres.pipeline import Request
from pushd.store.postgres.reading import Begin
from pushd.store.postgres.session import Connection
from pushd.store.rows import to_device, to_proof
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import people, sessions, tokens, webhooks

COPIES = "pushd_copies"
"""The channel."""

_CHANGES: Mapping[Operation[object], Copied] = {
    **dict.fromkeys(
        (
            tokens.add_token,
            tokens.change_token,
            tokens.rotate_token,
            tokens.delete_token,
            people.add_person,
            people.change_person,
            people.delete_person,
            people.invite,
            sessions.add_session,
            sessions.delete_session,
        ),
        Copied.PRINCIPALS,
    ),
    **dict.fromkeys(
        (
            webhooks.add_webhook,
            webhooks.change_webhook,
            webhooks.delete_webhook,
            webhooks.rotate_secret,
            webhooks.redeliver,
            webhooks.disable_webhook,
            ownership.give_up_webhooks,
            ownership.give_up_all,
        ),
        Copied.WEBHOOKS,
    ),
}

_DEVICE_EVENTS = frozenset(
    {
        EventType.DEVICE_REGISTERED,
        EventType.DEVICE_PENDING,
        EventType.DEVICE_APPROVED,
        EventType.DEVICE_BLOCKED,
        EventType.DEVICE_CHANGED,
        EventType.DEVICE_DELETED,
    }
)
_DEVICES = Statement(
    "read devices that were changed", "SELECT * FROM device WHERE id IN (SELECT value FROM json_each(:devices))"
)
_PROOFS = Statement("read their proofs", "SELECT * FROM proof WHERE device IN (SELECT value FROM json_each(:devices))")


def announce(sender: str, group: Iterable[PendingTransaction]) -> list[Request]:
    """What announces to all nodes, with the commit, what a group changes of which they have copies."""
    changed = {kind for pending in group if (kind := _CHANGES.get(unwrapped(pending)[0])) is not None}
    if not changed:
        return []
    return [notification(COPIES, " ".join([sender, *sorted(kind.value for kind in changed)]))]


def announced(payload: str, sender: str) -> Collection[Copied]:
    """What another node has announced; nothing, if ``sender`` did."""
    by, *changed = payload.split(" ")
    return () if by == sender else [Copied(kind) for kind in changed]


def read_devices(tx: ITransaction, names: Collection[str]) -> Mapping[str, StoredDevice | None]:
    """Devices by their ids; None: it is not there, or not any more."""
    wanted = json.dumps(sorted(names))
    proofs: dict[str, list[Proof]] = {}
    for proof in map(to_proof, tx.rows(_PROOFS, devices=wanted)):
        proofs.setdefault(proof.device, []).append(proof)
    devices = map(to_device, tx.rows(_DEVICES, devices=wanted))
    found = {device.id: StoredDevice(device, proofs.get(device.id, ())) for device in devices}
    return {name: found.get(name) for name in names}


Followed = tuple[Tail, Mapping[str, StoredDevice | None]]
"""What other nodes have committed, and the devices that they have changed; None: one that was deleted."""


def read_tail(connection: Connection, begin: Begin, after: int) -> Followed:
    """The next events, as :func:`.feed_tail.read_tail` does, and the devices that have changed.

    :param begin: begins a transaction to read those.
    """
    tail = feed_tail.read_tail(connection, after)
    changed = {event.device for event in tail[0] if event.type in _DEVICE_EVENTS and event.device is not None}
    if not changed:
        return tail, {}
    with begin(connection) as tx:
        return tail, read_devices(tx, changed)
