"""Facts that a device says of itself."""

import json

from pushd.model.event import EventType
from pushd.model.facts import Facts, learn
from pushd.store.transaction import ITransaction, Statement, first
from pushd.store.transactions.device_events import KNOWN_BY, record_device

_FACTS = Statement("look up a device's facts", f"SELECT serial, facts, {KNOWN_BY} FROM device WHERE id = :id")
_SET_FACTS = Statement("change a device's facts", "UPDATE device SET facts = :facts WHERE id = :id")


def merge_facts(tx: ITransaction, device: str, said: Facts) -> None:
    """Merge what a device has said of itself into its facts; a serial number only if its id stands for none."""
    row = first(tx, _FACTS, id=device)
    if row is None:
        return
    if row["serial"] is not None:
        said = {name: fact for name, fact in said.items() if name != "serial"}
    known = json.loads(row["facts"])
    facts = learn(known, said)
    news = {name: fact for name, fact in facts.items() if known.get(name) != fact}
    if news:
        tx.run(_SET_FACTS, id=device, facts=json.dumps(facts))
        record_device(tx, EventType.DEVICE_CHANGED, row, fields=["facts"], facts=news)
