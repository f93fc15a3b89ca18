"""The start of a process: renew leases, and read what is kept in memory."""

from pushd.model.timestamps import Now
from pushd.store.filters import StartOptions, StartupSnapshot
from pushd.store.rows import to_device, to_proof, to_token
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import clock, devices, epochs, offline, queries

_DEVICES = Statement("read all devices", "SELECT * FROM device")
_PROOFS = Statement("read all proofs", "SELECT * FROM proof")
_TOKENS = Statement("read all tokens", "SELECT * FROM token")
_REPORTABLE = Statement(
    "find commands for which a result may still come",
    "SELECT device, id FROM command WHERE state = 'unknown' AND finished_at IS NOT NULL"
    " UNION ALL SELECT device, id FROM command WHERE attempts > 0 AND finished_at IS NULL",
)
_LAST_COMMAND = Statement("read the greatest command id", "SELECT MAX(id) AS last FROM command")


def load_snapshot(tx: ITransaction, options: StartOptions, now: Now, writable: bool = True) -> StartupSnapshot:
    """Continue elapsed time, renew all leases, because the server was down, and read what is kept in memory.

    ``writable`` is False for a database that is full or damaged: the server then serves what needs no writing. It
    saves no clocks and begins no epoch, but it must be able to end what is open in a copy.
    """
    tx.commands.load_all(now)
    elapsed, newest, retention_from = clock.resume(tx, now, writable)
    offline.restart_all(tx, now)
    ended_in_copy = epochs.begin(tx, options, now, writable)
    if options.token is not None:
        devices.set_token(tx, options.token, now)
    tx.commands.save()
    return StartupSnapshot(
        devices=tuple(to_device(row) for row in tx.rows(_DEVICES)),
        proofs=tuple(to_proof(row) for row in tx.rows(_PROOFS)),
        tokens=tuple(to_token(row) for row in tx.rows(_TOKENS)),
        result_index=tuple((row["device"], row["id"]) for row in tx.rows(_REPORTABLE)),
        last_command=tx.rows(_LAST_COMMAND)[0]["last"],
        elapsed=elapsed,
        newest=newest,
        retention_from=retention_from,
        epochs=epochs.load(tx),
        last_event=queries.last_event(tx),
        ended_in_copy=ended_in_copy,
    )
