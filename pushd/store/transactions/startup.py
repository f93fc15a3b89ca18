"""The start of a process: renew leases, and read what is kept in memory."""

import json
from collections.abc import Mapping

from attrs import asdict

from pushd.model.device import Whereabouts
from pushd.store.filters import Principals, StartOptions, StartupSnapshot
from pushd.store.rows import to_device, to_proof
from pushd.store.transaction import ITransaction, Row, Statement
from pushd.store.transactions import clock, epochs, offline, people, queries, sessions, tokens, transfer

DEVICES = Statement("read all devices", "SELECT * FROM device")
PROOFS = Statement("read all proofs", "SELECT * FROM proof")
_DELETED = Statement(
    "read the devices that were deleted",
    "SELECT device, data FROM event WHERE type = 'device.deleted' AND device NOT IN (SELECT id FROM device)"
    " ORDER BY device, seq",
)
_UNKNOWN = Statement(
    "find commands without a known outcome",
    "SELECT device, id FROM command WHERE state = 'unknown' AND finished_at IS NOT NULL",
)


def load_snapshot(tx: ITransaction, options: StartOptions, writable: bool = True) -> StartupSnapshot:
    """Continue elapsed time, renew all leases, because the server was down, and read what is kept in memory.

    ``writable`` is False for a database that is full or damaged: the server then serves what needs no writing. It
    saves no clocks and begins no epoch, but it must be able to end what is open in a copy.

    :raises StoreRefused: if the fleet is in another database, or not all of it is in this one yet.
    """
    transfer.begin_use(tx, restored=options.restored)
    tx.commands.load_all()
    newest, retention_from = clock.resume(tx, writable)
    offline.restart_all(tx)
    ended_in_copy = epochs.begin(tx, options, writable)
    if options.token is not None and (not options.token_if_needed or tokens.is_needed(tx, options.token)):
        tokens.replace_token(tx, options.token, options.token_digest)
    tx.commands.save()
    return StartupSnapshot(
        devices=tuple(to_device(row) for row in tx.rows(DEVICES)),
        proofs=tuple(to_proof(row) for row in tx.rows(PROOFS)),
        **asdict(load_principals(tx), recurse=False),
        deleted=deleted_devices(tx),
        result_index=(
            *((row["device"], row["id"]) for row in tx.rows(_UNKNOWN)),
            *((command.device, command.id) for command in tx.commands.open() if command.attempts > 0),
        ),
        now=tx.now,
        newest=newest,
        retention_from=retention_from,
        epochs=epochs.load(tx),
        last_event=queries.last_event(tx),
        ended_in_copy=ended_in_copy,
    )


def load_principals(tx: ITransaction) -> Principals:
    """All tokens, people and sessions."""
    known_tokens, token_secrets = tokens.load(tx)
    known_people, invitations = people.load(tx)
    return Principals(
        tokens=known_tokens,
        token_secrets=token_secrets,
        people=known_people,
        invitations=invitations,
        sessions=sessions.load(tx),
    )


def deleted_devices(tx: ITransaction) -> Mapping[str, Whereabouts]:
    """The devices that were deleted, by their ids, while events of that are kept."""
    return {row["device"]: _whereabouts(row) for row in tx.rows(_DELETED)}


def _whereabouts(row: Row) -> Whereabouts:
    """The last site and tags of a device, from the event of its deletion."""
    data = json.loads(row["data"])
    return Whereabouts(data.get("site"), tuple(data.get("tags", ())))
