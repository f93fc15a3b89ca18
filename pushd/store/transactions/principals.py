"""What tokens and people have in common: a name that no other of them has, and what limits them."""

import json
from collections.abc import Mapping
from typing import Any

from pushd.model.errors import NameTaken
from pushd.model.token import SELECTORS
from pushd.store.transaction import ITransaction, Row, Statement, first

_TAKEN = Statement(
    "look up a name",
    "SELECT 'token' AS kind FROM token WHERE name = :name AND id <> :token"
    " UNION ALL SELECT 'person' AS kind FROM person WHERE name = :name",
)
_REMEDIES = {"token": "revoke that token", "person": "delete that person"}


def check_name(tx: ITransaction, name: str, token: str = "") -> None:
    """Check that no person has a name, and no token but the one with this id: commands, events and the audit log know
    both by name.

    :raises NameTaken: if it is taken.
    """
    row = first(tx, _TAKEN, name=name, token=token)
    if row is not None:
        kind = row["kind"]
        raise NameTaken(f"There is a {kind} {name} already; choose another name, or {_REMEDIES[kind]} first.")


def to_columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of columns for these fields; selectors are kept as JSON text."""
    return {
        name: json.dumps(value) if name in SELECTORS and value is not None else value for name, value in fields.items()
    }


def read_selectors(row: Row) -> dict[str, Any]:
    """What limits a token or a person, from its row."""
    return {name: None if row[name] is None else tuple(json.loads(row[name])) for name in SELECTORS}
