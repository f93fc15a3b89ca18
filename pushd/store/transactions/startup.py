"""The start of a process: renew leases, and read what is kept in memory."""

from pushd.model.timestamps import Now
from pushd.store.filters import StartOptions, StartupSnapshot
from pushd.store.rows import to_device, to_proof, to_token
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import clock, devices, epochs, offline
from pushd.store.transactions.lifecycle_guards import REOPENED

_RENEW_LEASES = Statement(
    "renew leases",
    f"UPDATE command SET lease_until = :steady + lease * 1000, deadline_until = {REOPENED}"
    " WHERE lease_until IS NOT NULL",
)
_DEVICES = Statement("read all devices", "SELECT * FROM device")
_PROOFS = Statement("read all proofs", "SELECT * FROM proof")
_TOKENS = Statement("read all tokens", "SELECT * FROM token")
_QUEUED = Statement("find devices with queued commands", "SELECT DISTINCT device FROM command WHERE state = 'queued'")
_REPORTABLE = Statement(
    "find commands for which a result may still come",
    "SELECT device, id FROM command WHERE lease_until IS NOT NULL"
    " UNION ALL SELECT device, id FROM command WHERE state = 'unknown' AND finished_at IS NOT NULL"
    " UNION ALL SELECT device, id FROM command WHERE state = 'queued' AND attempts > 0",
)
_LAST_COMMAND = Statement("read the greatest command id", "SELECT MAX(id) AS last FROM command")


def renew_leases(tx: ITransaction, now: Now) -> None:
    """Give every lease, and every grace period of an offline device, its whole time again."""
    tx.run(_RENEW_LEASES, now=now.wall, steady=now.steady)
    offline.restart_all(tx, now)


def load_snapshot(tx: ITransaction, options: StartOptions, now: Now, writable: bool = True) -> StartupSnapshot:
    """Continue elapsed time, renew all leases, because the server was down, and read what is kept in memory.

    ``writable`` is False for a database that is full or damaged: the server then serves what needs no writing. It
    saves no clocks and begins no epoch, but it must be able to renew the leases, and to end what is open in a copy.
    """
    elapsed, newest, retention_from = clock.resume(tx, now, writable)
    renew_leases(tx, now)
    ended_in_copy = epochs.begin(tx, options, now, writable)
    if options.token is not None:
        devices.set_token(tx, options.token, now)
    return StartupSnapshot(
        devices=tuple(to_device(row) for row in tx.rows(_DEVICES)),
        proofs=tuple(to_proof(row) for row in tx.rows(_PROOFS)),
        tokens=tuple(to_token(row) for row in tx.rows(_TOKENS)),
        queued=frozenset(row["device"] for row in tx.rows(_QUEUED)),
        result_index=tuple((row["device"], row["id"]) for row in tx.rows(_REPORTABLE)),
        last_command=tx.rows(_LAST_COMMAND)[0]["last"],
        elapsed=elapsed,
        newest=newest,
        retention_from=retention_from,
        epochs=epochs.load(tx),
        last_event=epochs.last_event(tx),
        ended_in_copy=ended_in_copy,
    )
