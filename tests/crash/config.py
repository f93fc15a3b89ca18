"""The configuration of a crash run: load and duration, and the options of the server."""

from attrs import frozen

from tests.harness.config import HarnessConfig
from tests.harness.simulated_fleet import HOLD

BATCH = 3
"""How many queued commands a Control iD device may receive at once."""

SETTLE_SECONDS = 18.0
"""Seconds of a run that are left after the last kill, in which leases and times to live end."""

_MIN_KILL_SHARE = 0.4
"""The share of a short run that the kill phase has at least."""


@frozen(kw_only=True)
class CrashConfig(HarnessConfig):
    """All that is decided before a run starts."""

    seconds: float
    kills: int
    power_cuts: bool = False
    """Whether every other kill is a power cut."""
    disk_failures: bool = False
    """Whether commits fail between the kills."""
    suspensions: bool = False
    """Whether the server is suspended between a claim and its answer."""

    @property
    def needs_disk(self) -> bool:
        """Whether the server runs on a disk with faults."""
        return self.power_cuts or self.disk_failures or self.suspensions

    bugs_module = "tests.crash.planted_bugs"

    def kill_seconds(self, elapsed: float) -> float:
        """The duration of the kill phase, if ``elapsed`` seconds of the run have passed before it."""
        return max(self.seconds - SETTLE_SECONDS - elapsed, self.seconds * _MIN_KILL_SHARE)

    def server_options(self) -> list[str]:
        """Short holds, so that many polls end during a run."""
        return ["--admission=open", f"--hold=servereye={HOLD}", f"--hold=controlid={HOLD}", f"--batch={BATCH}"]
