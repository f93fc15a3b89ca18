"""Tests that a store keeps the promises of the design's section 2 over random histories."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model_based.conftest import THOROUGH
from tests.model_based.state_machine import StoreMachine, StoreMachineOnDisk

pytestmark = pytest.mark.slow(seconds=10)

BOUNDED = pytest.mark.timeout(0)
"""No timeout: the number of examples bounds a run; to shrink a failure takes some minutes more."""


def budget(examples: int, steps: int) -> settings:
    """The same examples in each run; with the thorough profile many more, and different ones each time."""
    profile = settings.get_profile(THOROUGH)
    thorough = settings.default is profile
    return settings(
        max_examples=profile.max_examples if thorough else examples,
        stateful_step_count=steps,
        derandomize=not thorough,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


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
