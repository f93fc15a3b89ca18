"""How many examples of a history are tried."""

from hypothesis import HealthCheck, settings

from tests.model_based.conftest import THOROUGH


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
