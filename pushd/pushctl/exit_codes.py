"""What became of a call of ``pushctl``, as the exit code tells it."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Outcome(IntEnum):
    """The exit codes; 2 and 130 mean what they mean for other programs of the shell."""

    SUCCEEDED = 0
    REFUSED = 1
    MISUSED = 2
    FAILED = 3
    UNKNOWN = 4
    EXPIRED = 5
    CANCELLED = 6
    OPEN = 7
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line for the help text."""
        return _MEANINGS[self]


_MEANINGS = {
    Outcome.SUCCEEDED: "the command succeeded; without --wait: it was accepted",
    Outcome.REFUSED: "the server refused, or could not be reached; the line on stderr says which",
    Outcome.MISUSED: "the call itself is wrong",
    Outcome.FAILED: "the device reported failure",
    Outcome.UNKNOWN: "it may have run, and nobody said so",
    Outcome.EXPIRED: "its time to live ended before it could be sent",
    Outcome.CANCELLED: "it was cancelled before it was sent",
    Outcome.OPEN: "it was still open when the wait ended, by itself or by Ctrl-C",
    Outcome.INTERRUPTED: "Ctrl-C ended the call before there was an answer",
}

_ENDED = {
    "succeeded": Outcome.SUCCEEDED,
    "failed": Outcome.FAILED,
    "unknown": Outcome.UNKNOWN,
    "expired": Outcome.EXPIRED,
    "cancelled": Outcome.CANCELLED,
}


def outcome(command: Mapping[str, Any]) -> Outcome:
    """What the state of a command means for whoever waited for it."""
    return _ENDED.get(str(command.get("state")), Outcome.OPEN)


def explained() -> str:
    """The exit codes as lines of a help text."""
    return "\n".join(f"  {code.value:<3}  {code.meaning}" for code in Outcome)
