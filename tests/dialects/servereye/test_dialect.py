"""Tests of :mod:`pushd.dialects.servereye.dialect`."""

import pytest

from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.model.errors import InvalidFields


def test_durations() -> None:
    """A container has 30 s from one sign of work to the next, is held for 45 s, and may be silent for 20 minutes."""
    assert (SERVER_EYE.lease, SERVER_EYE.hold, SERVER_EYE.heartbeat) == (30.0, 45.0, 1200.0)


def test_not_sequential() -> None:
    """A container may have several messages in work."""
    assert not SERVER_EYE.one_at_a_time


def test_device() -> None:
    """A container's id keeps the case of its containerId."""
    assert SERVER_EYE.device(SERVER_EYE.canonical("0AF3-x")) == "servereye:0AF3-x"


def test_check() -> None:
    """A payload of the other dialect is refused."""
    with pytest.raises(InvalidFields):
        SERVER_EYE.check({"endpoint": "load_objects"})
