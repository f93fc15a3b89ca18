"""The journal of the simulated devices in a crash run, which reports kill points."""

from collections.abc import Callable

from attrs import define

from pushd.simulator.journal import Journal
from tests.crash.kill_schedule import KillPoint

_KILL_POINTS = {"ran": KillPoint.RECEIVED, "reported": KillPoint.REPORTED}


@define(eq=False, kw_only=True)
class KillPointJournal(Journal):
    """A journal that reports kill points."""

    reach: Callable[[KillPoint], None]

    def record(self, device: str, did: str, **facts: object) -> None:
        super().record(device, did, **facts)
        self.reach(_KILL_POINTS[did])
