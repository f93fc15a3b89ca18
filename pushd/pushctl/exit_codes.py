"""The exit codes of ``pushctl``."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from pushd.model.lifecycle import State


class ExitCode(IntEnum):
    """The exit codes; 2 and 130 mean what they mean for other programs of the shell."""

    SUCCEEDED = 0
    REFUSED = 1
    MISUSED = 2
    FAILED = 3
    UNKNOWN = 4
    EXPIRED = 5
    CANCELLED = 6
    OPEN = 7
    TROUBLE = 8
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line for the help text."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.SUCCEEDED: "the command succeeded; without --wait: the request was accepted",
    ExitCode.REFUSED: "refused by the server, or the server could not be reached; see stderr",
    ExitCode.MISUSED: "wrong arguments or options",
    ExitCode.FAILED: "the device reported a failure",
    ExitCode.UNKNOWN: "the command may have run, but there was no result, or no answer",
    ExitCode.EXPIRED: "its time to live ended before it was sent",
    ExitCode.CANCELLED: "it was cancelled before it was sent",
    ExitCode.OPEN: "it had not ended yet when the wait was over, or was stopped by Ctrl-C",
    ExitCode.TROUBLE: "pushctl status: something is wrong now; doctor: with a device",
    ExitCode.INTERRUPTED: "Ctrl-C stopped pushctl before there was an answer",
}

_ENDED: Mapping[str, ExitCode] = {
    State.SUCCEEDED: ExitCode.SUCCEEDED,
    State.FAILED: ExitCode.FAILED,
    State.UNKNOWN: ExitCode.UNKNOWN,
    State.EXPIRED: ExitCode.EXPIRED,
    State.CANCELLED: ExitCode.CANCELLED,
}


def exit_code(command: Mapping[str, Any]) -> ExitCode:
    """The exit code of a call that waited for this command."""
    return _ENDED.get(str(command.get("state")), ExitCode.OPEN)


def exit_code_help(*others: ExitCode) -> str:
    """The exit codes as lines of a help text, without those that other commands have."""
    return "\n".join(
        f"  {code.value:<3}  {code.meaning}" for code in ExitCode if code not in (ExitCode.TROUBLE, *others)
    )
