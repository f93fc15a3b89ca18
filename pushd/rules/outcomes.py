"""What rules answer."""

from collections.abc import Iterable
from enum import Enum

from attrs import field, frozen

from pushd.model.command import Dispatched
from pushd.model.timestamps import MAX_MOMENT

MAX_WRITE_DELAY = 2.0
"""Seconds after which a claim is not sent any more, if half of its lease is not over before."""


@frozen(kw_only=True)
class Claim:
    """What was claimed for a device.

    ``due`` is when the next command becomes due, in wall milliseconds, if nothing was claimed; None: none does.
    ``expires_at`` and ``expires_elapsed`` are when the first of the claimed commands becomes too old to be sent, in
    wall milliseconds and in elapsed time. It may be sent for ``write_within`` seconds after ``began``, the machine's
    uptime when the transaction began. Nothing is claimed unless ``is_served``: the device polls at another process.
    """

    dispatched: tuple[Dispatched, ...] = ()
    due: int | None = None
    expires_at: int = MAX_MOMENT
    expires_elapsed: int = MAX_MOMENT
    write_within: float = MAX_WRITE_DELAY
    began: float = field(default=0.0, eq=False)
    is_served: bool = True


def dispatched_by(outcomes: Iterable[object]) -> list[Dispatched]:
    """What the claims among the outcomes of rules have dispatched."""
    return [sent for each in outcomes if isinstance(each, Claim) for sent in each.dispatched]


class Settlement(Enum):
    """What the store did with a device's result."""

    SETTLED = "settled"  # it ended a command
    REPEATED = "repeated"  # the command had ended with it before
    ORPHANED = "orphaned"  # it matches no command, or contradicts a known outcome; it was kept
    DROPPED = "dropped"  # the same, but not kept: the device is not approved
