"""The history of the database: whether it lacks events that nodes have seen, and how that ends.

That is so when it was restored from a backup under the nodes, or a standby took over to which the last commits had not
come. What was open may have run since, so nodes send nothing until an operator has begun another history.
"""

from threading import Lock

from attrs import define, field, frozen

from pushd.model.alert import AlertKind
from pushd.model.errors import StoreRefused
from pushd.rules.queueing import Unsend
from pushd.rules.reporting import Acknowledge, Settle
from pushd.store.filters import History, StartOptions
from pushd.store.group_commit import PendingTransaction
from pushd.store.overlay import decide, decide_all
from pushd.store.postgres.needs import unwrapped
from pushd.store.transaction import ITransaction, Statement
from pushd.store.transactions import alerts, epochs

LACKS = (
    "The database lacks events that this node has seen: it was restored, or a standby has taken over. Nothing is sent"
    " until pushctl after-restore has ended what was open."
)

ALLOWED = (Settle, Acknowledge, Unsend)
"""The rules that go on deciding meanwhile: what a device reports is true in any history."""

_FEED = Statement("read the history", "SELECT last, history, lost FROM feed")
_BEGIN = Statement(
    "begin a history", "UPDATE feed SET history = :name, last = GREATEST(last, COALESCE(lost, 0)), lost = NULL"
)


@frozen
class FeedState:
    """What a transaction has read of the feed: the last number, the name of the history, and what is lost."""

    last: int
    history: str
    lost: int | None


@define(eq=False)
class SeenHistory:
    """What a node has seen of the history; any thread may use it."""

    history: str = field(default="", init=False)
    """Its name; empty until the node has started."""
    last: int = field(default=0, init=False)
    """The greatest number of an event."""
    is_lost: bool = field(default=False, init=False)
    """Whether events are missing, as far as is known."""
    _lock: Lock = field(factory=Lock, init=False)

    def begin(self, history: str, last: int) -> None:
        """The node has started."""
        self.history = history
        self.note(last)

    def note(self, last: int) -> None:
        """The database has an event with this number."""
        with self._lock:
            self.last = max(self.last, last)

    def check(self, seen: int, found: FeedState) -> bool:
        """Compare what was read with what was ``seen`` before that; whether the database lacks some of it.

        :raises StoreRefused: if another history has begun: what this process has in memory is of the former one.
        """
        if not self.history:
            return False
        if found.history != self.history:
            raise StoreRefused("The database was restored, and its history is another one: start again.")
        self.is_lost = found.lost is not None or found.last < seen
        if not self.is_lost:
            self.note(found.last)
        return self.is_lost


def read(tx: ITransaction) -> FeedState:
    """The state of the feed."""
    [row] = tx.rows(_FEED)
    return FeedState(**row)


def lacks_events(tx: ITransaction, known: History) -> bool:
    """Whether the database lacks what a data directory knows of it; what was lost before the present history began is
    known to be lost.
    """
    feed = read(tx)
    if feed.lost is not None:
        return True
    if feed.history == known.epoch:
        return feed.last < known.number
    return bool(known.epoch) and epochs.is_copy(tx, History(known.epoch))


def begin_history(tx: ITransaction, options: StartOptions) -> int | None:
    """Begin a history; of a database that was restored, end what was open, unless it is to be queued again.

    :returns: how many commands are ``unknown`` now; None if the database was not restored.
    """
    tx.commands.load_open()
    ended = epochs.begin(tx, options)
    tx.run(_BEGIN, name=options.epoch)
    alerts.clear_about_database(tx, AlertKind.RESTORED)
    return ended


def is_refused(pending: PendingTransaction) -> bool:
    """Whether an operation must not run while events are missing: it decides on commands."""
    operation, args = unwrapped(pending)
    rules = {decide: args[:1], decide_all: args[0] if args else ()}.get(operation, ())
    return not all(isinstance(rule, ALLOWED) for rule in rules)
