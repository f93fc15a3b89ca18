"""Tests that a store keeps the promises of the design's section 2 over random histories."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model_based.budget import budget
from tests.model_based.state_machine import StoreMachine, StoreMachineOnDisk

pytestmark = pytest.mark.slow(seconds=10)

BOUNDED = pytest.mark.timeout(0)
"""No timeout: the number of examples bounds a run; to shrink a failure takes some minutes more."""


@BOUNDED
def test_a_store_equals_its_model_after_any_history() -> None:
    """After requests, polls, reports, lost connections, clock changes and restarts in any order, a store in memory
    holds and answers what the model does.
    """
    run_state_machine_as_test(StoreMachine, settings=budget(150, 50))


@BOUNDED
def test_a_store_on_disk_equals_its_model_after_any_history() -> None:
    """The same holds for a store in a file that is closed and opened again."""
    run_state_machine_as_test(StoreMachineOnDisk, settings=budget(20, 40))
