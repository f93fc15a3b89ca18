"""The ids of simulated devices: made from a seed, so that whoever knows it can name them beforehand."""

from uuid import UUID

from pushd.simulator.faults import dice

_FIRST_SERIAL = 4408800000000000
"""Real readers count up from here: 16 digits, more than a double holds for sure."""


def controlid_ids(seed: int, count: int) -> tuple[str, ...]:
    """The deviceIds of ``count`` readers in a row, as if they came out of one box."""
    first = _FIRST_SERIAL + 1000 * dice(seed, "controlid").randrange(10**9) + 101
    return tuple(str(first + place) for place in range(count))


def servereye_ids(seed: int, count: int) -> tuple[str, ...]:
    """The containerIds of ``count`` containers: UUIDs."""
    chance = dice(seed, "servereye")
    return tuple(str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(count))
