"""The indexes of devices on SQLite: new commands, attempts and events are added to them in batches.

In such an index each device has pages of its own, so a commit would change, and write, a page for nearly each row. The
rows that are not ``indexed`` yet are the newest ones of their table: their keys are greater than those of all others.
Queries about devices read them, too.
"""

from attrs import define, field

from pushd.store.transaction import ITransaction, Statement

BATCH = 4096
"""Events of a batch at most, with the commands and attempts that they are about: each query about a device reads those
that are not in the indexes, which takes a millisecond.
"""

_LEAST = 128
"""Events of a batch at least."""

_FOR_EACH_OPERATION = 32
"""Events of a batch for each operation that a commit has on average: a batch makes one of some ten commits take a few
times as long.
"""

_KEYS = {"command": ("id", "''"), "attempt": ("serial", "0"), "event": ("seq", "0")}
"""The key of each table, which ascends, and what is less than any."""


def _is_new(table: str, behind: str = ">") -> str:
    key, least = _KEYS[table]
    # +: no index of the indexed rows has them in this order
    newest = f"SELECT {key} FROM {table} WHERE +indexed = 1 ORDER BY {key} DESC LIMIT 1"
    return f"{table}.indexed = 0 AND {table}.{key} {behind} COALESCE(({newest}), {least})"


_ADD = tuple(
    Statement(f"add to the index of devices: {table}s", f"UPDATE {table} SET indexed = 1 WHERE {_is_new(table)}")
    for table in _KEYS
)


def add_new_rows(tx: ITransaction) -> None:
    """Add all rows that are not in the indexes of devices yet."""
    for statement in _ADD:
        tx.run(statement)


@define(eq=False)
class Batches:
    """Decides when a batch is added: the busier the server, the larger are batches, up to ``most`` events."""

    most: int = BATCH
    _last: int = field(default=0, init=False)
    """The number of the newest event that was added; 0: not known."""
    _operations: int = field(default=0, init=False)
    """Since then."""
    _commits: int = field(default=0, init=False)

    def is_due(self, newest: int, operations: int) -> bool:
        """Whether all new rows are to be added with a commit of so many operations, whose newest event this is."""
        self._commits += 1
        self._operations += operations
        size = max(_LEAST, _FOR_EACH_OPERATION * self._operations // self._commits)
        if newest - self._last < min(self.most, size):
            return False
        self._last, self._operations, self._commits = newest, 0, 0
        return True


def of_devices(columns: str, index: str, where: str, join: str = "") -> str:
    """The query for rows of devices, on SQLite, by one of their indexes; it may be followed by ORDER BY and LIMIT."""
    table = index.partition("_")[0]

    def among(hint: str, rows: str) -> str:
        return f"SELECT {columns} FROM {table} {hint} {join} WHERE {rows} AND {where}"

    indexed = among(f"INDEXED BY {index}", f"{table}.indexed = 1")
    return f"{indexed} UNION ALL {among('', _is_new(table))}"


def is_left_out(table: str) -> str:
    """The condition of a row that no query about its device finds: there must be none."""
    return _is_new(table, behind="<")
