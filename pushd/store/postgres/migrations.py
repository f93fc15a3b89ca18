"""The schema: made, or brought to the newest version, by the process that comes first."""

from collections.abc import Mapping
from importlib.resources import files

from pushd.model.errors import StoreRefused
from pushd.store.postgres.session import Connection

LOCK = 0x7075736864
"""The advisory lock of what only one process may do at a time."""

_LOCK_SECONDS = "30s"
"""How long a start waits for another process that makes the schema."""

_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"


def schemas() -> Mapping[int, str]:
    """The steps by which the schema is made, by version."""
    folder = files("pushd.store.postgres").joinpath("schema")
    return {int(file.name[:4]): file.read_text() for file in folder.iterdir() if file.name.endswith(".sql")}


def newest_version() -> int:
    """The version of the newest schema."""
    return max(schemas())


def migrate(connection: Connection, steps: Mapping[int, str] | None = None, is_expected: bool = False) -> bool:
    """Make the schema, or bring an older one up to date; True if the database was empty.

    :raises StoreRefused: if it is newer than this program, or of another program; or is empty, and ``is_expected`` to
        have been used.
    """
    steps = steps or schemas()
    newest = max(steps)
    version = check_version(connection, newest)
    if version == newest:
        return False
    if version == 0 and is_expected:
        raise StoreRefused(
            f"The database {connection.info.dbname} is empty, but this data directory was used with one. Restore it,"
            " or start with --new to use this one."
        )
    connection.execute("SELECT set_config('lock_timeout', %s, FALSE)", (_LOCK_SECONDS,))
    connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))  # of the session: migrations may take long
    try:
        version = check_version(connection, newest)
        for step in range(version + 1, newest + 1):
            with connection.transaction():
                connection.execute(steps[step].encode(), prepare=False)
        if version < newest:
            connection.execute("ANALYZE")
        return version == 0
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
            connection.execute("RESET lock_timeout")


def check_version(connection: Connection, newest: int) -> int:
    """The version of a database, which is not changed; 0 if it is empty.

    :raises StoreRefused: if only newer programs may work with it, or it is of another program.
    """
    name = connection.info.dbname
    tables = {row["relname"] for row in connection.execute(_TABLES)}
    if not tables:
        return 0
    if not tables >= {"schema_version", "device", "command"}:
        raise StoreRefused(f"The database {name} is not one of pushd; name another one with --store.")
    row = connection.execute("SELECT version, oldest FROM schema_version").fetchone()
    if row is None or row["oldest"] > newest:
        version = "unknown" if row is None else row["version"]
        raise StoreRefused(
            f"The database {name} was written by a newer pushd (schema {version}, this one knows {newest}); install"
            " that version."
        )
    return min(int(row["version"]), newest)
