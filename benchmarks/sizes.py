"""How large the works are."""

from collections.abc import Sequence

from attrs import frozen


@frozen(kw_only=True)
class Size:
    """How much is done; durations in seconds."""

    known: tuple[int, int]
    """Devices that pushd knows from the start, of Server-Eye and of Control iD: as many as will come."""
    idle: float
    stages: Sequence[int]
    """How many polls are held for a look at the memory."""
    holds: Sequence[int]
    """How many polls are held while others are woken."""
    rates: Sequence[tuple[float, float]]
    """Puts in a second, and for how long."""
    durable_rates: Sequence[tuple[float, float]]
    """The same, for those that write what is put to the disk."""
    cycles: Sequence[int]
    """How many devices there are in the durable cycle."""
    cycle: float
    crowd: int
    stored: Sequence[int]
    """How many commands are stored while the same is done again, fewest first."""
    grown: tuple[int, int]
    """Devices that are known then, of Server-Eye and of Control iD."""
    watched: Sequence[int]
    """How many devices the watchdog looks after."""
    fleet: int
    """How many polls are held while it is seen what a steady pace takes."""
    pace: int
    """Cycles in a second, meanwhile."""
    steady: float
    """Seconds for which that pace is kept."""
    settle: float


FULL = Size(
    known=(19_000, 2_000),
    idle=0.7,
    stages=(1_000, 10_000, 19_000),
    holds=(5_000, 10_000),
    rates=((200, 1.0), (4_000, 0.5)),
    durable_rates=((200, 2.0), (4_000, 0.5)),
    cycles=(1, 200, 2_000),
    cycle=0.8,
    crowd=10_000,
    stored=(1_000, 100_000, 1_000_000),
    grown=(80_000, 20_000),
    watched=(10_000, 100_000, 1_000_000),
    fleet=10_000,
    pace=200,
    steady=60.0,
    settle=0.3,
)
SMALL = Size(
    known=(50, 10),
    idle=0.2,
    stages=(10, 50),
    holds=(50,),
    rates=((50, 0.4),),
    durable_rates=((50, 0.4),),
    cycles=(1, 10),
    cycle=0.3,
    crowd=50,
    stored=(10, 1_000),
    grown=(60, 20),
    watched=(100,),
    fleet=20,
    pace=10,
    steady=1.0,
    settle=0.2,
)
