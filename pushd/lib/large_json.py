"""Large JSON texts, read by SQLite's JSON functions.

Python's reader makes an object for each value, 30 to 85 times the size of the text, and lets no other thread run
before it is done. SQLite needs little memory beside the text, and lets all threads run.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from pushd.lib import strict_json
from pushd.lib.strict_json import LARGE, UnreadableBody

MAX_VALUES = 100_000
"""Values in a large text that is read by Python's reader."""

_SHOWN = 2 * strict_json.MAX_LINE
"""Characters to which the text of a member is cut: it is only shown."""


class TooManyValues(UnreadableBody):
    """A large text has more than :data:`MAX_VALUES` values."""


class Item(dict[str, Any]):
    """Members of an object in a list, as :func:`read_members` reads them; ``text`` is all of it."""

    text: str = ""


def parse(text: str) -> Any:
    """The value of a JSON text of any size, as :func:`pushd.lib.strict_json.parse` reads it.

    :raises TooManyValues: if a large text has too many.
    :raises UnreadableBody: if it is not JSON.
    """
    if len(text) > LARGE and sum(map(text.count, ",[{")) >= MAX_VALUES:
        with _database() as database:
            count = "SELECT count(*) FROM (SELECT 1 FROM json_tree(?) LIMIT ?)"
            ((found,),) = database.execute(count, (text, MAX_VALUES + 1))
        if found > MAX_VALUES:
            raise TooManyValues(f"The body has more than {MAX_VALUES} JSON values.")
    return strict_json.parse(text)


def read_members(text: str, names: Sequence[str]) -> dict[str, Any]:
    """The members of an object that have these names, if it has them. A string, and the JSON text of a list or object
    that is not empty, which stands for it, are cut to what can be shown.

    :raises UnreadableBody: if the text is not JSON, or no object.
    """
    with _database() as database:
        if database.execute("SELECT json_type(?1) WHERE json_valid(?1)", (text,)).fetchone() != ("object",):
            raise UnreadableBody("The body is not a JSON object.")
        marks = ", ".join("?" * len(names))
        members = f"SELECT key, type, substr(value, 1, {_SHOWN}) FROM json_each(?) WHERE key IN ({marks})"  # noqa: S608
        rows = database.execute(members, (text, *names)).fetchall()
    return {name: _value(kind, shown) for name, kind, shown in rows}


def read_string(text: str, name: str) -> str:
    """A member of an object in a valid text that is a string; all of it."""
    with _database() as database:
        ((value,),) = database.execute("SELECT atom FROM json_each(?) WHERE key = ?", (text, name))
    return str(value)


def read_items(text: str, path: str, names: Sequence[str], limit: int) -> list[object]:
    """The items of the list at an SQLite JSON path: an :class:`Item` for each object, None for anything else.

    :raises UnreadableBody: if the text is not JSON, or there is no list, or it has more than ``limit`` items.
    """
    with _database() as database:
        if database.execute("SELECT json_type(?1, ?2) WHERE json_valid(?1)", (text, path)).fetchone() != ("array",):
            raise UnreadableBody("There is no list of results.")
        items = "SELECT type, value FROM json_each(?, ?) LIMIT ?"
        rows = database.execute(items, (text, path, limit + 1)).fetchall()
    if len(rows) > limit:
        raise UnreadableBody(f"There are more than {limit} results.")
    return [_item(value, names) if kind == "object" else None for kind, value in rows]


def _item(text: str, names: Sequence[str]) -> Item:
    if len(text) > LARGE:
        item = Item(read_members(text, names))
    else:
        fields = strict_json.parse(text)
        item = Item((name, _cut(fields[name])) for name in names if name in fields)
    item.text = text
    return item


def _cut(value: object) -> object:
    if isinstance(value, dict | list) and value:
        value = strict_json.write(value)
    return value[:_SHOWN] if isinstance(value, str) else value


def _value(kind: str, shown: object) -> object:
    match kind, shown:
        case "true" | "false", _:
            return kind == "true"
        case "object", "{}":
            return {}
        case "array", "[]":
            return []
        case "integer", str():
            return int(shown)
        case "real", str():
            return float(shown)
        case _:
            return shown


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    """A database without tables, in which there is only the text of a statement's parameter.

    :raises UnreadableBody: if SQLite cannot read the text.
    """
    with closing(sqlite3.connect(":memory:")) as database:
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        try:
            yield database
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise UnreadableBody("The body is not JSON.") from error
