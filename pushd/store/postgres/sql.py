"""Statements for PostgreSQL: the same SQL, with parameters as psycopg writes them."""

import re
from functools import lru_cache

from pushd.store.transaction import Statement

_TOKEN = re.compile(r"'(?:[^']|'')*'|INDEXED BY \w+ ?|::|:(\w+)|[?%]")
"""A string, a hint that only SQLite knows, a cast, a parameter, or what psycopg takes for one."""


@lru_cache(maxsize=4096)
def to_query(statement: Statement) -> bytes:
    """The SQL of a statement as psycopg takes it; hints for the planner of SQLite are left out."""
    return translated(statement.postgres or statement.sql).encode()


def translated(sql: str) -> str:
    """SQL with ``:name`` and ``?`` as ``%(name)s`` and ``%s``."""
    return _TOKEN.sub(_replacement, sql)


def _replacement(match: re.Match[str]) -> str:
    token = match[0]
    if match[1] is not None:
        return f"%({match[1]})s"
    if token == "?":
        return "%s"
    return "" if token.startswith("INDEXED") else token.replace("%", "%%")
