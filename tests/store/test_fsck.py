"""Tests of the consistency check."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pushd.fsck import inspect, main
from pushd.model.device import ProofKind
from pushd.model.lifecycle import Move
from pushd.model.timestamps import Now
from pushd.model.webhook import Attempt, Progress, Webhook
from pushd.store.interface import IStore
from pushd.store.transactions import consistency
from pushd.store.transactions.consistency import TABLES
from tests.store.clock import new_store, when
from tests.store.outages import RULES, SITE, add_site, alerts, come_online, go_offline
from tests.store.samples import (
    AT_LEAST_ONCE,
    FAILURE,
    GARBLED,
    LIMIT,
    OTHER_READER,
    READER,
    StubResult,
    at,
    by_message,
    command_id,
    device,
    draft,
)
from tests.store.steps import claim, put, send, tamper

BREAKS = {
    "the number of attempts does not match the stored attempts": "UPDATE command SET attempts = 2 WHERE id = :sent",
    "an attempt belongs to no command": (
        "INSERT INTO attempt (command, number, device, sent_at, handover) VALUES ('gone', 1, 'd', 0, 'gone/1')"
    ),
    "a command was sent, acknowledged or ended without an attempt": (
        "INSERT INTO command (id, device, state, payload, delivery, priority, ttl, created_at, expires_at,"
        " expires_elapsed, attempts, max_attempts, lease, deadline, lease_until, created_by)"
        " SELECT 'x', device, state, payload, delivery, priority, ttl, created_at, expires_at, expires_elapsed, 0, 5,"
        " lease, deadline, 1, '' FROM command WHERE id = :sent"
    ),
    "the attempts of a command are not in order": (
        "INSERT INTO attempt (serial, command, number, device, sent_at, handover)"
        " SELECT -1, command, 2, device, sent_at, handover FROM attempt WHERE command = :sent"
    ),
    "sent_at differs from that of the latest attempt": "UPDATE command SET sent_at = sent_at - 1 WHERE id = :sent",
    "a command was sent after its time to live": "UPDATE command SET expires_at = sent_at WHERE id = :sent",
    "a command is open, and its device does not exist": "DELETE FROM device",
    "a queued command was not ended after its time to live": "UPDATE command SET expires_at = 0 WHERE id = :queued",
    "a known outcome has no evidence or no result": "UPDATE command SET result = NULL WHERE id = :succeeded",
    "a large text of a command is missing": "UPDATE command SET payload = 'large:x' WHERE id = :queued",
    "a large text belongs to no command": "INSERT INTO large_text VALUES ('gone', 'payload', :zero)",
    "a command was resent as a command that is not its successor": (
        "UPDATE command SET resent_as = :queued, resend_of = :sent WHERE id IN (:succeeded, :queued)"
    ),
    "the newest event shows another state": "DELETE FROM event WHERE command = :sent AND type = 'command.sent'",
    "a command has no event": "DELETE FROM event WHERE command = :queued",
    "a proof belongs to no device": "INSERT INTO proof (digest, device, kind) VALUES (:zero, 'gone', 'secret')",
    "a secret belongs to no token": "INSERT INTO token_secret (digest, token) VALUES (:zero, 'gone')",
    "an invitation is for no person": "INSERT INTO invitation (person, digest, expires_at) VALUES ('gone', :zero, 0)",
    "a session is that of no person": (
        "INSERT INTO session (id, digest, person, created_at, last_used_at, created_elapsed, used_elapsed)"
        " VALUES ('s', :zero, 'gone', 0, 0, 0, 0)"
    ),
    "a grace period runs for a device that is not approved and offline": "DELETE FROM device WHERE id = :waiting",
    "an alert is open about a device that is not approved and offline": "DELETE FROM device WHERE id = :missed",
    "an alert is open without an affected device, or cleared with one": (
        "UPDATE alert_device SET cleared_at = 0 WHERE device = :missed"
    ),
    "a device belongs to an alert that does not exist": "DELETE FROM alert",
    "an alert is open about a webhook that is not disabled": "DELETE FROM webhook",
}
"""How to break each promise by hand."""

ON_SQLITE = {
    f"the {table}s of a device are listed without one": (
        f"UPDATE {table} SET indexed = ({key} = (SELECT MAX({key}) FROM {table}))"
    )
    for table, key in (("command", "id"), ("attempt", "serial"), ("event", "seq"))
}
"""The same, where it cannot be broken on PostgreSQL."""


OTHER_BREAKS = (
    ("a large text of a command is missing", "UPDATE command SET result = 'large:x' WHERE id = :succeeded"),
    (
        "a grace period runs for a device that is not approved and offline",
        "UPDATE device SET admission = 'blocked' WHERE id = :waiting",
    ),
    (
        "a grace period runs for a device that is not approved and offline",
        "UPDATE device SET presence = 'online' WHERE id = :waiting",
    ),
    (
        "an alert is open about a device that is not approved and offline",
        "UPDATE device SET presence = 'online' WHERE id = :missed",
    ),
    ("an alert is open without an affected device, or cleared with one", "UPDATE alert SET cleared_at = 0"),
    (
        "an alert is open about a webhook that is not disabled",
        "UPDATE webhook SET disabled_at = NULL, disabled_reason = NULL",
    ),
)
"""Further ways to break populate of them."""


async def populate(store: IStore) -> dict[str, str | bytes]:
    """Store a command that is queued, one in flight and one that succeeded, and what :func:`populate_alerts` does;
    returns ids.
    """
    await populate_alerts(store)
    await send(store, 1)
    await send(store, 2)
    await when(store, at(1)).settle(READER, by_message(2))
    await put(store, 3)
    return {
        "sent": command_id(1),
        "succeeded": command_id(2),
        "queued": command_id(3),
        "waiting": OTHER_READER,
        "zero": b"\0",
        "missed": SITE[0],
    }


async def populate_alerts(store: IStore) -> None:
    """Store a device in its grace period, one with an alert and one that returned; and a disabled webhook."""
    await add_site(store, SITE[:2])
    await go_offline(store, *SITE[:2])
    await alerts(store, 30)
    await come_online(store, SITE[1], seconds=31)
    await go_offline(store, OTHER_READER, seconds=31)
    await when(store, at()).add_webhook(Webhook(id=command_id(9), url="https://example.com", created_at=0), "whsec_1")
    progress = Progress(webhook=command_id(9), revision=0, cursor=0)
    attempt = Attempt(seq=1, at=0, duration=1, status=410)
    assert await when(store, at(32)).disable_webhook(progress, attempt, "gone", RULES)


async def violations(store: IStore) -> list[str]:
    """The violations that fsck finds, each kind once."""
    return sorted({flaw.what for flaw in await when(store, at(2)).fsck()})


def test_each_check_has_a_violation() -> None:
    """There is a way to violate each check."""
    assert {check.description for table in TABLES for check in table.checks} == {*BREAKS, *ON_SQLITE}


@pytest.mark.parametrize(("what", "damage"), [*BREAKS.items(), *OTHER_BREAKS])
async def test_a_violation_is_found(store: IStore, what: str, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each violation that is made by hand is found and named, whichever slice of its table it is in."""
    monkeypatch.setattr(consistency, "SLICE_SIZE", 1)
    values = await populate(store)
    assert await violations(store) == []
    asked = {name: value for name, value in values.items() if f":{name}" in damage}
    await tamper(store, damage, **asked)
    assert what in await violations(store)


@pytest.mark.parametrize(("what", "damage"), [*ON_SQLITE.items()])
async def test_a_violation_on_sqlite_is_found(what: str, damage: str) -> None:
    """A row that the indexes of devices lack, and that is not behind all others, is found and named."""
    store = new_store()
    store.open()
    for name in (READER, OTHER_READER):
        await store.add_device(device(name), False)
    await populate(store)
    assert await violations(store) == []
    await tamper(store, damage)
    assert await violations(store) == [what]
    await store.close()


async def test_a_violation_names_device_and_command(store: IStore) -> None:
    """It has the device, the command and a detail."""
    await populate(store)
    await tamper(store, "UPDATE command SET attempts = 2 WHERE id = :id", id=command_id(1))
    [flaw] = await when(store, at(2)).fsck()
    assert (flaw.device, flaw.command, flaw.detail) == (READER, command_id(1), "2 counted, 1 stored")


async def test_a_late_sweep_is_no_violation(store: IStore) -> None:
    """The sweep may be a minute late, but no more."""
    await put(store, 1)
    assert await when(store, at(301)).fsck() == []
    assert [flaw.what for flaw in await when(store, at(400)).fsck()] == [
        "a queued command was not ended after its time to live"
    ]


@pytest.mark.parametrize("step", [-3600, 3600], ids=["back", "ahead"])
async def test_a_clock_that_was_set_is_no_violation(store: IStore, step: int) -> None:
    """Whichever way the clock is set while a command is open, nothing is found."""
    await send(store, 1, delivery=AT_LEAST_ONCE, ttl=86400)
    await when(store, Now(at(step).wall, at(60).steady)).lapse(10)
    dispatched = await claim(store, now=at(step))
    assert dispatched is not None
    await when(store, at(0)).acknowledge(READER, command_id(1))
    await when(store, at(step)).settle(READER, by_message(1))
    await send(store, 2)
    await when(store, at(step)).settle(READER, by_message(2, GARBLED))
    await when(store, at(2 * step)).resolve(command_id(2), Move.RESOLVE_FAILED, None, "ana")
    assert await when(store, at(0)).fsck() == []


async def test_a_stopped_server_is_checked_as_of_its_last_event(tmp_path: Path) -> None:
    """Queued commands in a file are no violation, though the clock was a day ahead before it was set right."""
    path = tmp_path / "pushd.sqlite"
    store = new_store(str(path))
    when(store, at()).open()
    await when(store, at(86400)).add_device(device(READER), False)
    await put(store, 1, now=at(0))
    await store.close()
    assert inspect(str(path)) == []


async def test_program_prints_what_it_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The program prints that there are no inconsistencies, or each as a JSON object; the exit code is 0 or 1."""
    path = tmp_path / "pushd.sqlite"
    store = new_store(str(path))
    when(store, at()).open()
    await when(store, at()).add_device(device(READER), False)
    await put(store, 1)
    await store.close()
    assert main([str(path)]) == 0
    assert capsys.readouterr() == ("No inconsistencies.\n", "")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE command SET attempts = 2")
    assert main([str(path)]) == 1
    found, errors = capsys.readouterr()
    assert errors == ""
    whats = [json.loads(line)["what"] for line in found.splitlines()]
    assert "the number of attempts does not match the stored attempts" in whats


async def test_a_store_in_use_has_no_violations(store: IStore) -> None:
    """Whatever senders, devices, operators and clocks did, nothing is found."""
    for number, verdict in ((1, FAILURE), (2, GARBLED)):
        await send(store, number)
        await when(store, at(1)).settle(READER, by_message(number, verdict))
    await send(store, 3, delivery=AT_LEAST_ONCE)
    await when(store, at(1)).cancel(command_id(3))
    dispatched = await send(store, 4)
    await when(store, at(1)).unsend([dispatched])
    await when(store, at(1)).cancel(command_id(4))
    await send(store, 5, delivery=AT_LEAST_ONCE)
    await when(store, at(60)).lapse(10)
    await claim(store, now=at(61))
    await when(store, at(62)).settle(READER, StubResult(message=command_id(5)))
    await when(store, at(63)).resolve(command_id(3), Move.RESOLVE_FAILED, None, "ana")
    await when(store, at(64)).acknowledge(READER, command_id(2))
    await when(store, at(65)).put(draft(OTHER_READER), False, LIMIT)
    await when(store, at(65)).add_proof(OTHER_READER, ProofKind.SECRET, b"s", 0.0)
    await populate_alerts(store)
    await when(store, at(66)).forget_device(OTHER_READER)
    assert await when(store, at(70)).fsck() == []
    await when(store, at(70)).purge(at(63).wall, 100)
    assert await when(store, at(70)).fsck() == []
