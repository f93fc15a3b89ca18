"""What rules answer."""

from enum import Enum

from attrs import frozen

from pushd.model.command import Dispatched
from pushd.model.timestamps import MAX_MOMENT

MAX_WRITE_DELAY = 2.0
"""Seconds after which a claim is not sent any more, if half of its lease is not over before."""


@frozen(kw_only=True)
class Claim:
    """What was claimed for a device.

    ``due`` is when the next command becomes due, in wall milliseconds, if nothing was claimed; None: none does.
    ``expires_at`` and ``expires_elapsed`` are when the first of the claimed commands becomes too old to be sent, in
    wall milliseconds and in elapsed time. ``write_within`` is for how many seconds from the claim on it may be sent.
    """

    dispatched: tuple[Dispatched, ...] = ()
    due: int | None = None
    expires_at: int = MAX_MOMENT
    expires_elapsed: int = MAX_MOMENT
    write_within: float = MAX_WRITE_DELAY


class Settlement(Enum):
    """What the store did with a device's result."""

    SETTLED = "settled"  # it ended a command
    REPEATED = "repeated"  # the command had ended with it before
    ORPHANED = "orphaned"  # it matches no command, or contradicts a known outcome; it was kept
    DROPPED = "dropped"  # the same, but not kept: the device is not approved
