"""Tests of :mod:`pushd.model.epochs`."""

import pytest

from pushd.model.epochs import Epoch, Epochs, is_public_id

FIRST, SECOND, THIRD = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


@pytest.fixture
def epochs() -> Epochs:
    """A database with five events of an old version; ten of the first epoch, none of the second."""
    epochs = Epochs()
    epochs.load([Epoch(FIRST, 6, 1), Epoch(SECOND, 16, 4), Epoch(THIRD, 16, 4)])
    return epochs


@pytest.mark.parametrize(
    ("number", "event_id"),
    [(0, "0"), (5, "5"), (6, f"{FIRST}-6"), (15, f"{FIRST}-15"), (16, f"{THIRD}-16"), (99, f"{THIRD}-99")],
)
def test_an_event_has_the_id_of_its_epoch(epochs: Epochs, number: int, event_id: str) -> None:
    """Each position has one id, which leads back to it."""
    assert epochs.event_id(number) == event_id
    assert epochs.event_number(event_id) == number


@pytest.mark.parametrize(
    "event_id", ["6", f"{FIRST}-16", f"{SECOND}-16", "dddddddddddd-7", f"{FIRST}-4", "x", f"{FIRST}-", "-1", "\u0661"]
)
def test_an_id_that_this_database_never_had_is_unknown(epochs: Epochs, event_id: str) -> None:
    """An event of another database, or of a part of this one that is lost, has no number."""
    assert epochs.event_number(event_id) is None


def test_alerts_are_numbered_by_the_same_epochs(epochs: Epochs) -> None:
    """An alert's id is found only with the epoch in which it was raised."""
    assert epochs.alert_number(f"{FIRST}-3") == 3
    assert epochs.alert_number("3") is None
    assert epochs.alert_number(f"{THIRD}-4") == 4


def test_the_newest_epoch_is_the_current_one(epochs: Epochs) -> None:
    """A database without epochs is in that of the old version."""
    assert (epochs.current, Epochs().current) == (THIRD, "")


@pytest.mark.parametrize(("text", "is_id"), [("0", True), (f"{FIRST}-1", True), ("now", False), ("", False)])
def test_the_form_of_an_id(text: str, is_id: bool) -> None:
    """An id that cannot be one of any database differs in form from an unknown one."""
    assert is_public_id(text) is is_id
