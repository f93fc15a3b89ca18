"""How much is measured."""

from collections.abc import Sequence

from attrs import frozen


@frozen(kw_only=True)
class Size:
    """The size of each part; durations are in seconds."""

    registered: tuple[int, int]
    """How many devices pushd has from the start, of Server-Eye and of Control iD: all that will connect."""
    idle: float
    """How long idle polls are measured."""
    stages: Sequence[int]
    """How many polls are held when memory is measured."""
    holds: Sequence[int]
    """How many polls are held while some are woken."""
    rates: Sequence[tuple[float, float]]
    """Puts per second, and for how long."""
    durable_rates: Sequence[tuple[float, float]]
    """The same for servers that write each put to the disk."""
    cycles: Sequence[int]
    """How many devices run durable cycles."""
    cycle: float
    """How long cycles are measured."""
    reconnect: int
    """How many devices reconnect at once."""
    stored: Sequence[int]
    """How many commands are stored for the part ``growth``, in ascending order."""
    grown: tuple[int, int]
    """How many devices are registered then, of Server-Eye and of Control iD."""
    detected: Sequence[int]
    """How many devices offline detection checks."""
    watched: Sequence[int]
    """How many devices a fleet has whose presence a dashboard shows."""
    fleet: int
    """How many polls are held for the part ``sizing``."""
    pace: int
    """How many cycles per second run then."""
    steady: float
    """How long that pace is kept."""
    clustered: int
    """How many devices run cycles for the part ``cluster``."""
    clustered_seconds: float
    """How long each of its figures is measured."""
    held: int
    """How many polls are held there while some are woken."""
    outdated: int
    """How many commands retention has to delete for the part ``retention``."""
    purged_seconds: float
    """How long cycles run meanwhile."""
    settle: float
    """How long a server rests before memory or latency is measured."""


FULL = Size(
    registered=(19_000, 2_000),
    idle=0.7,
    stages=(1_000, 10_000, 19_000),
    holds=(5_000, 10_000),
    rates=((200, 1.0), (4_000, 0.5)),
    durable_rates=((200, 2.0), (4_000, 0.5)),
    cycles=(1, 200, 2_000),
    cycle=0.8,
    reconnect=10_000,
    stored=(1_000, 100_000, 1_000_000),
    grown=(80_000, 20_000),
    detected=(10_000, 100_000, 1_000_000),
    watched=(2_000, 10_000),
    fleet=10_000,
    pace=200,
    steady=60.0,
    clustered=200,
    clustered_seconds=3.0,
    held=1_000,
    outdated=400_000,
    purged_seconds=240.0,
    settle=0.3,
)
SMALL = Size(
    registered=(50, 10),
    idle=0.2,
    stages=(10, 50),
    holds=(50,),
    rates=((50, 0.4),),
    durable_rates=((50, 0.4),),
    cycles=(1, 10),
    cycle=0.3,
    reconnect=50,
    stored=(10, 1_000),
    grown=(60, 20),
    detected=(100,),
    watched=(60,),
    fleet=20,
    pace=10,
    steady=1.0,
    clustered=10,
    clustered_seconds=0.3,
    held=20,
    outdated=100,
    purged_seconds=0.3,
    settle=0.2,
)
