"""Epochs: the ids of events and alerts, and whether a database is a copy that lacks what happened later."""

from pushd.model.epochs import Epoch, public_id
from pushd.rules.endings import end_in_copy
from pushd.store.filters import History, StartOptions
from pushd.store.transaction import ITransaction, Statement, first

KEPT = 10_000
"""Epochs that are kept; an id of an older one is unknown."""

EPOCH_OF_EVENT = (
    "COALESCE((SELECT name FROM epoch WHERE first_event <= {seq} ORDER BY first_event DESC, number DESC LIMIT 1), '')"
)
"""SQL for the name of an event's epoch."""

_OF_EVENT = Statement("find the epoch of an event", f"SELECT {EPOCH_OF_EVENT.format(seq=':seq')} AS name")
_OF_ALERT = Statement(
    "find the epoch of an alert",
    "SELECT name FROM epoch WHERE first_alert <= :alert ORDER BY first_alert DESC, number DESC LIMIT 1",
)


def event_id(tx: ITransaction, seq: int) -> str:
    """The id of an event."""
    return public_id(tx.rows(_OF_EVENT, seq=seq)[0]["name"], seq)


def epoch_of_alert(tx: ITransaction, alert: int) -> str:
    """The name of an alert's epoch."""
    row = first(tx, _OF_ALERT, alert=alert)
    return "" if row is None else str(row["name"])


_ALL = Statement("read the epochs", "SELECT name, first_event, first_alert, last_command FROM epoch ORDER BY number")
_LAST = Statement(
    "find the last numbers",
    "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0) AS event,"
    " COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'alert'), 0) AS alert,"
    " (SELECT MAX(id) FROM command) AS command",
    postgres="SELECT last AS event,"
    " (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM alert_id_seq) AS alert,"
    " (SELECT MAX(id) FROM command) AS command FROM feed",
)
_ADD = Statement(
    "begin an epoch",
    "INSERT INTO epoch (name, first_event, first_alert, last_command) VALUES (:name, :event, :alert, :command)",
)
_DROP = Statement(
    "drop old epochs",
    "DELETE FROM epoch WHERE number <= (SELECT MAX(number) FROM epoch) - :kept AND last_command IS NULL",
)


def load(tx: ITransaction) -> tuple[Epoch, ...]:
    """All epochs, in their order."""
    return tuple(Epoch(row["name"], row["first_event"], row["first_alert"]) for row in tx.rows(_ALL))


def begin(tx: ITransaction, options: StartOptions, writable: bool = True) -> int | None:
    """Begin an epoch; in a copy end what is open, unless it is to be queued again.

    A database that is not ``writable`` and no copy goes on with its last epoch.

    :returns: how many commands are ``unknown`` now; None if the database is not a copy.
    """
    if not options.epoch:
        return None
    last = tx.rows(_LAST)[0]
    is_copy = options.restored or (options.history is not None and _lacks(tx, options.history, last["event"]))
    if not (writable or is_copy):
        return None
    ends = is_copy and not options.requeue
    command = last["command"] if ends else None
    tx.run(_ADD, name=options.epoch, event=last["event"] + 1, alert=last["alert"] + 1, command=command)
    tx.run(_DROP, kept=KEPT)
    if not is_copy:
        return None
    return _end_open(tx) if ends else 0


def is_copy(tx: ITransaction, history: History) -> bool:
    """Whether the start of a server with this history would take the database for a copy."""
    return _lacks(tx, history, tx.rows(_LAST)[0]["event"])


def _lacks(tx: ITransaction, history: History, last: int) -> bool:
    """Whether events that were committed according to ``history`` are missing; never in a database without events."""
    epochs = tx.rows(_ALL)
    if not history.epoch:
        return bool(epochs) and last > 0
    place = next((place for place, row in enumerate(epochs) if row["name"] == history.epoch), None)
    if place is None:
        return last > 0
    later = epochs[place + 1 :]
    return (later[0]["first_event"] - 1 if later else last) < history.number


def _end_open(tx: ITransaction) -> int:
    """End all open commands: they may have run after the copy was made."""
    found = tx.commands.open()
    for command in found:
        end_in_copy(tx.commands, command)
    return len(found)
