"""The start of a process on PostgreSQL: it changes nothing that another node may be working on."""

from attrs import asdict

from pushd.model.errors import StoreRefused
from pushd.store.filters import History, StartOptions, StartupSnapshot
from pushd.store.postgres import history
from pushd.store.postgres.migrations import LOCK
from pushd.store.rows import to_device, to_proof
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import clock, epochs, queries, startup, tokens, transfer

TRANSFER_LOCK = LOCK + 1
"""The advisory lock of what moves the fleet to another database."""

_SHARE = Statement(
    "look for a move to another database", f"SELECT pg_try_advisory_xact_lock_shared({TRANSFER_LOCK}) AS is_free"
)
_LOCK = Statement("wait for the start of another node", "SELECT pg_advisory_xact_lock(:lock)")
_REPORTABLE = Statement(
    "find commands about which a result may come",
    "SELECT device, id FROM command WHERE finished_at IS NULL AND attempts > 0"
    " UNION ALL SELECT device, id FROM command WHERE finished_at IS NOT NULL AND outcome = 'unknown'",
)


def begin_use(tx: ITransaction, options: StartOptions) -> None:
    """Begin to use the database, before this process is a node.

    :raises StoreRefused: if the fleet is in another database, or is being moved.
    """
    if not tx.rows(_SHARE)[0]["is_free"]:
        raise StoreRefused("pushctl migrate uses it.")
    transfer.begin_use(tx, restored=options.restored)


def load_snapshot(tx: ITransaction, options: StartOptions) -> StartupSnapshot:
    """Read what is kept in memory; the process that comes first begins the history, and adds the first admin token.

    :raises StoreRefused: if the database lacks events that this node has seen, and is not said to be restored.
    """
    tx.rows(_LOCK, lock=LOCK)
    ended_in_copy = _begin_history(tx, options)
    newest, retention_from = clock.resume(tx, writable=False)
    if options.token is not None and not (options.token_if_needed and tokens.has_lasting_admin(tx)):
        tokens.replace_token(tx, options.token, options.token_digest)
    tx.commands.save()
    tx.flush()
    last_event = queries.last_event(tx)  # first: what other nodes change meanwhile has later events
    return StartupSnapshot(
        devices=tuple(to_device(row) for row in tx.rows(startup.DEVICES)),
        proofs=tuple(to_proof(row) for row in tx.rows(startup.PROOFS)),
        **asdict(startup.load_principals(tx), recurse=False),
        deleted=startup.deleted_devices(tx),
        result_index=tuple((row["device"], row["id"]) for row in tx.rows(_REPORTABLE)),
        now=tx.now,
        newest=newest,
        retention_from=retention_from,
        epochs=epochs.load(tx),
        last_event=last_event,
        ended_in_copy=ended_in_copy,
    )


def _begin_history(tx: ITransaction, options: StartOptions) -> int | None:
    """Begin the history of a new database, and another one of a database that was restored."""
    is_new = history.read(tx).history == ""
    if is_new or options.restored:
        return history.begin_history(tx, options)
    if history.lacks_events(tx, options.history or History()):
        raise StoreRefused(
            "The database lacks events that this node has seen: it was restored, or is another one. If it was"
            " restored, run pushctl after-restore, which ends what was open in it."
        )
    return None
