"""The orders of the operator."""

from itertools import islice

from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.simulator.faults import seeded_random
from tests.crash.orders import Order, OrderBook

DEVICES = ("controlid:7", "servereye:c1")


def orders(seed: int, count: int = 400) -> list[Order]:
    """So many orders."""
    book = OrderBook(DEVICES, seeded_random(seed, "orders"), lambda: 1_767_225_600.0)
    return list(islice(iter(book.next, None), count))


def test_server_would_take_them() -> None:
    """What is ordered is what a dialect accepts, whatever the dice say."""
    for order in orders(1):
        dialect = CONTROL_ID if order.device.startswith("controlid:") else SERVER_EYE
        dialect.check(order.draft["payload"])


def test_variety() -> None:
    """Both dialects, both classes of delivery, failures and batches all occur."""
    made = orders(2)
    assert {order.device for order in made} == set(DEVICES)
    assert {order.draft["delivery"] for order in made} == {"at_most_once", "at_least_once"}
    assert {order.fails for order in made} == {True, False}
    assert {len(order.parts) for order in made} == {1, 3}
    assert {name for order in made for name in order.draft} >= {"deadline", "not_before"}


def test_marks_are_told_apart() -> None:
    """No two orders, and no two commands of a batch, have the same mark."""
    parts = [part for order in orders(3) for part in order.parts]
    assert len(set(parts)) == len(parts)


def test_seed() -> None:
    """The same seed orders the same."""
    assert orders(4) == orders(4)
    assert orders(4) != orders(5)
