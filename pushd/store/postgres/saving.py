"""The statements that save what rules have changed: each of them once for a whole group, its rows given as arrays."""

from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

from attrs import frozen

from pushd.rules.records import Attempt, CommandRecord
from pushd.store import command_rows as rows
from pushd.store.postgres.pipeline import Request, array
from pushd.store.transaction import Statement

_KINDS = {"int": "bigint", "float": "double precision", "bool": "boolean", "bytes": "bytea"}


def _kinds(record: type) -> dict[str, str]:
    """The types of the columns of a record; what is neither a number nor bytes is text."""
    hints = {name: str(getattr(hint, "__name__", hint)) for name, hint in get_type_hints(record).items()}
    return {name: _KINDS.get(hint.removesuffix(" | None"), "text") for name, hint in hints.items()}


@frozen
class ArraySave:
    """A statement with an array for each column."""

    sql: bytes
    kinds: Sequence[str]

    def request(self, values: Sequence[Sequence[Any]]) -> Request:
        """What saves these rows."""
        columns = zip(self.kinds, zip(*values, strict=True), strict=True)
        return Request(self.sql, [array(kind, column) for kind, column in columns])


def _unnest(kinds: Sequence[str]) -> str:
    return ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1))


def _insert(table: str, record: type, columns: Sequence[str]) -> ArraySave:
    kinds = [_kinds(record)[name] for name in columns]
    names = ", ".join(columns)
    return ArraySave(f"INSERT INTO {table} ({names}) SELECT * FROM unnest({_unnest(kinds)})".encode(), kinds)


def _update(columns: Sequence[str]) -> ArraySave:
    """Fails by a division if a command is not in the version that was changed."""
    known = {**_kinds(CommandRecord), "result": "text"}
    kinds = [*(known[name] for name in columns), "text", "bigint"]
    sets = ", ".join(f"{name} = new.{name}" for name in columns)
    names = ", ".join((*columns, "id", "before"))
    return ArraySave(
        f"WITH new AS (SELECT * FROM unnest({_unnest(kinds)}) AS new ({names})), saved AS (UPDATE command SET {sets}"
        " FROM new WHERE command.id = new.id AND command.version = new.before RETURNING 1)"
        " SELECT 1 / ((SELECT count(*) FROM saved) = (SELECT count(*) FROM new))::int".encode(),
        kinds,
    )


SAVES: Mapping[Statement, ArraySave] = {
    rows.QUEUE: _insert("command", CommandRecord, rows.STORED),
    rows.SAVE: _update(rows.CHANGING),
    rows.SAVE_WITH_RESULT: _update(("result", *rows.CHANGING)),
    rows.ADD_ATTEMPTS: _insert("attempt", Attempt, Attempt._fields),
}
