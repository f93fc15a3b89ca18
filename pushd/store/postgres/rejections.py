"""What the device ports of all nodes have refused lately: one row of each node."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, fields

from pushd.lib.strict_json import write_ascii
from pushd.model.rejection import Rejection, RejectionReason
from pushd.store.transaction import ITransaction, Statement

# Of a node that is not known any more nothing is kept: it is taken for dead, and beats again, or has ended.
_SAVE = Statement(
    "save what was refused",
    "INSERT INTO rejection (node, items) SELECT name, :items FROM node WHERE name = :node"
    " ON CONFLICT (node) DO UPDATE SET items = excluded.items",
)
_OTHERS = Statement("read what other nodes have refused", "SELECT node, items FROM rejection WHERE node <> :node")

_FIELDS = [each.name for each in fields(Rejection)]
_REASONS = frozenset(RejectionReason)


def save_rejections(tx: ITransaction, node: str, newest: Sequence[Rejection]) -> None:
    """Save what a node has refused, in place of what it has saved before."""
    tx.run(_SAVE, node=node, items=write_ascii([asdict(each) for each in newest]))


def rejections_elsewhere(tx: ITransaction, node: str) -> Mapping[str, Sequence[Rejection]]:
    """What other nodes have saved, by their names."""
    return {row["node"]: [*_read(json.loads(row["items"]))] for row in tx.rows(_OTHERS, node=node)}


def _read(items: Sequence[Mapping[str, Any]]) -> Iterator[Rejection]:
    """The rejections whose reasons this program knows: a newer node may have others."""
    for item in items:
        if item["reason"] in _REASONS:
            yield Rejection(**{name: item[name] for name in _FIELDS} | {"reason": RejectionReason(item["reason"])})
