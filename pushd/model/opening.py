"""Opening what a device guards: what an operator asks for, and what became of it."""

from enum import StrEnum

from attrs import frozen

from pushd.model.command import Command

MAX_DOOR = 4
"""Doors of a device at most."""

PATIENCE = 10.0
"""Seconds for which a person waits in front of it: the time to live, the lease, and how long the answer is awaited."""


class Direction(StrEnum):
    """In which direction a turnstile may turn."""

    CLOCKWISE = "clockwise"
    ANTICLOCKWISE = "anticlockwise"
    BOTH = "both"


@frozen(kw_only=True)
class OpenRequest:
    """What is to be opened; None if the sender does not say."""

    door: int | None = None
    """1 to :data:`MAX_DOOR`, of a device with several."""
    direction: Direction | None = None
    """Of a turnstile."""


class Outcome(StrEnum):
    """What is known when the wait ends."""

    OPENED = "opened"  # the device has reported success
    NOT_OPENED = "not_opened"  # the device has reported a failure, or it was not sent, and never will be
    UNKNOWN = "unknown"  # it was sent, and no readable report has come


class OpenReason(StrEnum):
    """Why it has this outcome."""

    SUCCEEDED = "succeeded"
    DEVICE_FAILED = "device_failed"
    DEVICE_OFFLINE = "device_offline"
    PENDING = "pending"  # an operator has to approve or to authenticate the device first
    BUSY = "busy"  # the device was connected, but something else came first
    NO_ANSWER = "no_answer"


@frozen(kw_only=True)
class Opening:
    """What became of an opening; ``detail`` is a sentence for people."""

    outcome: Outcome
    reason: OpenReason
    detail: str
    command: Command
