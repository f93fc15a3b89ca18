"""The indexes of devices on SQLite: new commands and events are added to them in batches.

In such an index each device has pages of its own, so a commit would change, and write, a page for nearly each row. The
rows that are not ``indexed`` yet are the newest ones of their table; queries about devices read them, too.
"""

from pushd.store.transaction import ITransaction, Statement

BATCH = 4096
"""Events, with the commands that they are about: so many are read by each query about a device, in a millisecond."""

_KEYS = {"command": ("id", "''"), "event": ("seq", "0")}
"""The key of each table, which ascends, and what is less than any."""


def _is_new(table: str) -> str:
    key, least = _KEYS[table]
    # +: no index of the indexed rows has them in this order
    newest = f"SELECT {key} FROM {table} WHERE +indexed = 1 ORDER BY {key} DESC LIMIT 1"
    return f"indexed = 0 AND {key} > COALESCE(({newest}), {least})"


_ADD = tuple(
    Statement(f"add to the index of devices: {table}s", f"UPDATE {table} SET indexed = 1 WHERE {_is_new(table)}")
    for table in _KEYS
)


def add_new_rows(tx: ITransaction) -> None:
    """Add all rows that are not in the indexes of devices yet."""
    for statement in _ADD:
        tx.run(statement)


def of_devices(columns: str, table: str, where: str) -> str:
    """The query for rows of devices, on SQLite; it may be followed by ORDER BY and LIMIT."""
    query = f"SELECT {columns} FROM {table} WHERE {{rows}} AND {where}"
    return f"{query} UNION ALL {query}".replace("{rows}", "indexed = 1", 1).replace("{rows}", _is_new(table))
