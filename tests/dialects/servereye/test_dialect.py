"""Tests of :mod:`pushd.dialects.servereye.dialect`."""

import pytest

from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.model.errors import InvalidFields


def test_durations() -> None:
    """A container has a lease of 30 s, a hold of 45 s, and a heartbeat timeout of 20 minutes."""
    assert (SERVER_EYE.lease, SERVER_EYE.hold, SERVER_EYE.heartbeat) == (30.0, 45.0, 1200.0)


def test_not_one_at_a_time() -> None:
    """A container may run several messages at once."""
    assert not SERVER_EYE.one_at_a_time


def test_device() -> None:
    """A container's id keeps the case of its containerId."""
    assert SERVER_EYE.device(SERVER_EYE.canonical("0AF3-x")) == "servereye:0AF3-x"


def test_check() -> None:
    """A payload of the other dialect is refused."""
    with pytest.raises(InvalidFields):
        SERVER_EYE.check({"endpoint": "load_objects"})
