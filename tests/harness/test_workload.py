"""Tests of the workload."""

from itertools import islice

from pushd.dialects.controlid.dialect import CONTROL_ID
from pushd.dialects.servereye.dialect import SERVER_EYE
from pushd.simulator.faults import seeded_random
from tests.harness.workload import CommandRequest, Workload

DEVICES = ("controlid:7", "servereye:c1")


def requests(seed: int, count: int = 400) -> list[CommandRequest]:
    """Make so many requests."""
    workload = Workload(DEVICES, seeded_random(seed, "workload"), lambda: 1_767_225_600.0)
    return list(islice(iter(workload.next, None), count))


def test_payloads_are_valid() -> None:
    """Every payload is one that its dialect accepts."""
    for request in requests(1):
        dialect = CONTROL_ID if request.device.startswith("controlid:") else SERVER_EYE
        dialect.check(request.body["payload"])


def test_variety() -> None:
    """Both dialects, both delivery modes, failures and batches all occur."""
    made = requests(2)
    assert {request.device for request in made} == set(DEVICES)
    assert {request.body["delivery"] for request in made} == {"at_most_once", "at_least_once"}
    assert {request.fails for request in made} == {True, False}
    assert {len(request.parts) for request in made} == {1, 3}
    assert {name for request in made for name in request.body} >= {"deadline", "not_before"}


def test_names_are_unique() -> None:
    """No two commands, and no two transactions of a batch, have the same name."""
    parts = [part for request in requests(3) for part in request.parts]
    assert len(set(parts)) == len(parts)


def test_seed() -> None:
    """The same seed makes the same commands."""
    assert requests(4) == requests(4)
    assert requests(4) != requests(5)
