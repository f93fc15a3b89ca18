"""A device's result, as its dialect has read it, and what it means for a command."""

from typing import Protocol

from attrs import frozen

from pushd.model.command import Payload
from pushd.model.facts import Facts
from pushd.model.large_text import Text
from pushd.model.lifecycle import Move

RAW_LIMIT = 64 * 1024
"""Bytes of a body that are kept if the result becomes an orphan."""


@frozen(kw_only=True)
class Verdict:
    """What a result means for a command: a move, and the error in one line, if any."""

    move: Move
    error: str | None = None


class DeviceResult(Protocol):
    """A device's result; it is matched with commands, and says what it means for the payload of each."""

    @property
    def message(self) -> str | None:
        """The id of the command, in a dialect whose results have one."""

    @property
    def uuid(self) -> str | None:
        """The device's own id of its poll, in a dialect that has one."""

    @property
    def result(self) -> Text | None:
        """The JSON text that the device sent; None if there is nothing to keep."""

    @property
    def raw(self) -> bytes:
        """The first 64 KiB of the body as it came, to keep as an orphan result."""

    @property
    def size(self) -> int:
        """Bytes of the whole body."""

    def concerns(self, payload: Payload) -> bool:
        """Whether a result without ``message`` and ``uuid`` can be about a command with this payload."""

    def judge(self, payload: Payload) -> Verdict:
        """What the result means for a command with this payload."""

    def facts(self, payload: Payload) -> Facts:
        """What the device says of itself in a result that means success, if the payload asks for that."""

    def part(self, position: int) -> "DeviceResult | None":
        """The part about one of several commands of one answer, by its position from 1; None: there is none."""
