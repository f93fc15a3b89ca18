"""The journal of the simulator."""

import json
import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from pushd.simulator.journal import Journal


def test_record(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each action is one JSON line, and is synced before anything else happens."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append((tmp_path / "journal").stat().st_size))
    journal = Journal(clock=clock, path=tmp_path / "journal")
    journal.open()
    journal.record("controlid:7", "ran", uuid="u1", endpoint="load_objects")
    (line,) = (tmp_path / "journal").read_text().splitlines()
    assert synced == [len(line) + 1]
    assert json.loads(line) == {
        "time": "1970-01-12T13:46:40.000+00:00",
        "device": "controlid:7",
        "did": "ran",
        "uuid": "u1",
        "endpoint": "load_objects",
    }
    journal.close()


def test_append(clock: Clock, tmp_path: Path) -> None:
    """A journal is appended to."""
    for name in ("a", "b"):
        journal = Journal(clock=clock, path=tmp_path / "journal")
        journal.open()
        journal.record(name, "ran")
        journal.close()
    assert [json.loads(line)["device"] for line in (tmp_path / "journal").read_text().splitlines()] == ["a", "b"]


def test_presence(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of presence is written at once, but not synced."""
    monkeypatch.setattr(os, "fsync", lambda _: pytest.fail("must not sync"))
    journal = Journal(clock=clock, path=tmp_path / "journal")
    journal.open()
    journal.record_presence("controlid:7", "went-offline")
    (line,) = map(json.loads, (tmp_path / "journal").read_text().splitlines())
    assert line == {"time": "1970-01-12T13:46:40.000+00:00", "device": "controlid:7", "did": "went-offline"}
    journal.close()


def test_no_file(clock: Clock) -> None:
    """Without a file nothing is recorded."""
    journal = Journal(clock=clock)
    journal.open()
    journal.record("controlid:7", "ran")
    journal.close()
