"""The proof that a store keeps the promises of the design's section 2, whatever happens and in whatever order."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model_based.conftest import THOROUGH
from tests.model_based.machine import Machine, MachineInAFile

pytestmark = pytest.mark.slow(seconds=10)

BOUNDED = pytest.mark.timeout(0)
"""By its budget; a failure takes some minutes more, until it is told in few steps."""


def budget(examples: int, steps: int) -> settings:
    """The same runs each time, unless the thorough profile is asked for: many more then, and others each time."""
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
def test_a_store_keeps_every_promise_whatever_happens() -> None:
    """Through any order of requests, polls, reports, hang-ups, clocks and restarts, a store in memory is as it should
    be.
    """
    run_state_machine_as_test(Machine, settings=budget(150, 50))


@BOUNDED
def test_a_store_in_a_file_keeps_every_promise_over_restarts() -> None:
    """The same holds for a store in a file that is closed and opened again."""
    run_state_machine_as_test(MachineInAFile, settings=budget(20, 40))
