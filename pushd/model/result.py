"""What a device says became of a command, as far as a dialect can read it."""

from typing import Protocol

from attrs import frozen

from pushd.model.command import Payload
from pushd.model.lifecycle import Move

RAW_LIMIT = 64 * 1024
"""Bytes of a body that are kept if its report settles nothing."""


@frozen(kw_only=True)
class Verdict:
    """What a report means for the command that it is about: a move, and the error in one line if there is one."""

    move: Move
    error: str | None = None


class DeviceResult(Protocol):
    """A device's result, read by its dialect; the store asks it once it has found the command that it is about."""

    @property
    def message(self) -> str | None:
        """The command's id, where the dialect carries one."""

    @property
    def uuid(self) -> str | None:
        """The device's own name for the transaction, where the dialect has one."""

    @property
    def result(self) -> str | None:
        """JSON text of what the device said, untouched; None if there is nothing to keep."""

    @property
    def raw(self) -> bytes:
        """The first 64 KiB of the body as it came, to keep if the report settles nothing."""

    @property
    def size(self) -> int:
        """Bytes of the whole body."""

    def concerns(self, payload: Payload) -> bool:
        """Whether a report that names no transaction can be about a command with this payload."""

    def judge(self, payload: Payload) -> Verdict:
        """What the report means for a command with this payload."""

    def part(self, position: int) -> "DeviceResult | None":
        """What the report says about one of several commands that went in one answer, by its place from 1; None:
        nothing.
        """
