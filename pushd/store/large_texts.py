"""Large texts of commands: written and read before the commit, off the reactor's thread."""

import json
from functools import partial

from pushd.model.command import LargePayload, Payload
from pushd.model.large_text import LargeText
from pushd.store.rows import report_corruption
from pushd.store.transaction import ITransaction, Statement, first

_KEEP = Statement(
    "save a large text",
    "INSERT INTO large_text (command, name, text) VALUES (:command, :name, :text)"
    " ON CONFLICT (command, name) DO UPDATE SET text = excluded.text",
    text="text",
)
_DROP_RESULT = Statement(
    "delete a large result", "DELETE FROM large_text WHERE command = :command AND name = 'result'"
)
_LOAD = "SELECT text FROM large_text WHERE command = :command AND name"
PAYLOAD = Statement("read a large payload", f"{_LOAD} = 'payload'")
RESULT = Statement("read a large result", f"{_LOAD} = 'result'")
SENT = Statement("read a large payload", f"{_LOAD} IN ('payload', 'sent') ORDER BY name DESC LIMIT 1")
_OUTLINE = Statement("read the outline of a large payload", f"{_LOAD} IN ('outline', 'payload') ORDER BY name LIMIT 1")


def keep_payload(tx: ITransaction, command: str, payload: LargePayload) -> None:
    """Write the payload of a new command; what is sent only if it differs."""
    _keep(tx, command, "outline", payload.outline.encode())  # now: a result may come before the commit
    tx.defer(partial(_keep, command=command, name="payload", text=payload.text.data))
    if payload.sent is not payload.text:
        tx.defer(partial(_keep, command=command, name="sent", text=payload.sent.data))


def keep_result(tx: ITransaction, command: str, result: LargeText) -> None:
    """Write the result of a command, in place of an earlier one."""
    tx.defer(partial(_keep, command=command, name="result", text=result.data))


def drop_result(tx: ITransaction, command: str) -> None:
    """Delete the result of a command, which a small one replaces."""
    tx.run(_DROP_RESULT, command=command)


def _keep(tx: ITransaction, command: str, name: str, text: bytes) -> None:
    tx.run(_KEEP, command=command, name=name, text=text)


def load(tx: ITransaction, statement: Statement, command: str, text: LargeText) -> None:
    """Read a large text of a command by :data:`PAYLOAD`, :data:`SENT` (what is sent of it) or :data:`RESULT`."""
    tx.defer(partial(_load, statement=statement, command=command, text=text))


def _load(tx: ITransaction, statement: Statement, command: str, text: LargeText) -> None:
    row = first(tx, statement, command=command)
    text.load(None if row is None else row["text"])


def outline(tx: ITransaction, command: str) -> Payload:
    """The outline of a large payload; of one that an earlier version has stored, all of it."""
    found = first(tx, _OUTLINE, command=command)
    with report_corruption("A payload"):
        payload: Payload = json.loads("" if found is None else found["text"])
    return payload
