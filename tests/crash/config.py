"""The configuration of a crash run: load and duration, and the options of the server."""

from attrs import frozen

from pushd.demo.layout import HOST
from tests.harness.config import HarnessConfig
from tests.harness.simulated_fleet import HOLD

DIALECTS = ("servereye", "controlid")

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
    """Whether every other kill is a power cut, or a kill of PostgreSQL, too."""
    disk_failures: bool = False
    """Whether commits fail between the kills."""
    suspensions: bool = False
    """Whether the server is suspended between a claim and its answer."""
    postgres_port: int | None = None
    """The port of the PostgreSQL server; None: the database is a file of SQLite."""
    proxy_port: int = 0
    """The port of the proxy by which the server reaches PostgreSQL."""

    bugs_module = "tests.crash.planted_bugs"

    def kill_seconds(self, elapsed: float) -> float:
        """The duration of the kill phase, if ``elapsed`` seconds of the run have passed before it."""
        return max(self.seconds - SETTLE_SECONDS - elapsed, self.seconds * _MIN_KILL_SHARE)

    def server_options(self) -> list[str]:
        """Short holds, so that many polls end during a run."""
        store = [] if self.postgres_port is None else [f"--store={self.store}"]
        return [*store, "--admission=open", *(f"--hold={name}={HOLD}" for name in DIALECTS), f"--batch={BATCH}"]

    @property
    def store(self) -> str:
        """The URL of PostgreSQL; not encrypted, for the proxy has to understand it."""
        return f"postgresql://postgres@{HOST}:{self.proxy_port}/postgres?sslmode=disable&gssencmode=disable"
