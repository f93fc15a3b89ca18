"""The names of the measured servers."""

PUSHD = "pushd"
PUSHD_BEFORE = "pushd, before"
"""Another checkout of pushd, if one is given."""
AIOHTTP = "aiohttp, uvloop"
STARLETTE = "Starlette, uvicorn"
KLEIN = "stock Klein"
TWISTED = "bare twisted.web"
EXPRESS = "Express"
NCHAN = "nchan"
KLEIN_SQLITE = "Klein, SQLite"
REDIS = "Redis, always"
TRIVIAL = "trivial C server"


def on_postgres(processes: int) -> str:
    """So many processes of pushd that share a database on PostgreSQL."""
    return f"pushd, PostgreSQL, {processes}"


IN_MEMORY = (AIOHTTP, NCHAN, KLEIN, TWISTED, STARLETTE, EXPRESS)
"""Servers that keep commands in memory only; those with a target come first, in case time runs out."""

DURABLE = (REDIS, KLEIN_SQLITE)
"""Servers that write each step to the disk before they answer."""

ALL_SERVERS = (PUSHD, *IN_MEMORY, *DURABLE, TRIVIAL)
