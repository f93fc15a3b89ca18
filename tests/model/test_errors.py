"""Tests of errors."""

import pytest

from pushd.model.errors import Conflict, EventsPurged, FieldError, InvalidFields


def test_all_wrong_fields_are_named() -> None:
    """The message names each wrong field, with its pointer."""
    error = InvalidFields([FieldError("#/ttl", "must be positive"), FieldError("#/bogus", "is unknown")])
    assert str(error) == "#/ttl: must be positive; #/bogus: is unknown"
    assert [each.pointer for each in error.errors] == ["#/ttl", "#/bogus"]


def test_purged_events_name_the_oldest_that_is_kept() -> None:
    """A client that comes too late learns from where it can go on."""
    assert EventsPurged(17, "17").oldest == 17


@pytest.mark.parametrize("kind", Conflict.__subclasses__())
def test_each_conflict_has_its_own_kind(kind: type[Conflict]) -> None:
    """Programs distinguish conflicts by ``kind``."""
    names = [each.kind for each in Conflict.__subclasses__()]
    assert names.count(kind.kind) == 1
    assert kind.kind != Conflict.kind
