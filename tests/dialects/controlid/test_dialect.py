"""Tests of :mod:`pushd.dialects.controlid.dialect`."""

import pytest

from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.model.errors import InvalidFields


def test_durations() -> None:
    """A device has a lease of 60 s, a hold of 10 s, and a heartbeat timeout of two minutes."""
    assert (CONTROL_ID.lease, CONTROL_ID.hold, CONTROL_ID.heartbeat) == (60.0, 10.0, 120.0)


def test_one_at_a_time() -> None:
    """A device runs one command at a time."""
    assert CONTROL_ID.one_at_a_time


def test_device() -> None:
    """A device's id consists of the dialect and the canonical deviceId."""
    assert CONTROL_ID.device(CONTROL_ID.canonical("04408801109440198")) == "controlid:4408801109440198"


def test_check() -> None:
    """A payload of the other dialect is refused."""
    with pytest.raises(InvalidFields):
        CONTROL_ID.check({"control": "REFRESH_AGENT"})
