"""Tests of :mod:`pushd.dialects.controlid.dialect`."""

import pytest

from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.model.errors import InvalidFields


def test_durations() -> None:
    """A Control iD device has a minute for a command, is held for 10 s, and may be silent for two minutes."""
    assert (CONTROL_ID.lease, CONTROL_ID.hold, CONTROL_ID.heartbeat) == (60.0, 10.0, 120.0)


def test_sequential() -> None:
    """A Control iD device runs one command at a time."""
    assert CONTROL_ID.one_at_a_time


def test_device() -> None:
    """A device's id is made of the dialect and its canonical deviceId."""
    assert CONTROL_ID.device(CONTROL_ID.canonical("04408801109440198")) == "controlid:4408801109440198"


def test_check() -> None:
    """A payload of the other dialect is refused."""
    with pytest.raises(InvalidFields):
        CONTROL_ID.check({"control": "REFRESH_AGENT"})
