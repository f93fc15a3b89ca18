"""Dialect: what the rest of the server knows of a device protocol."""

from collections.abc import Callable

from attrs import frozen

from pushd.model.command import LargePayload, Payload

Batchable = Callable[[Payload], bool]
"""Whether a payload may be sent together with others in one answer."""


def never(_payload: Payload) -> bool:
    """For a dialect without batches."""
    return False


@frozen(kw_only=True)
class Dialect:
    """A device protocol, as the core and the admin port see it; durations in seconds."""

    name: str
    """The first part of device ids, ``<name>:<local part>``."""
    lease: float
    """The default lease: the time in which a sent command must be acknowledged or reported."""
    hold: float
    """How long a poll is held until another hold was learned or set."""
    heartbeat: float
    """The default heartbeat timeout: without a heartbeat for so long, a device is offline."""
    one_at_a_time: bool
    """Whether devices get the next command only after they have reported on the last one."""
    keys: bool
    """Whether devices can authenticate with an API key."""
    canonical: Callable[[str], str]
    """The canonical form of the local part of an id; raises :exc:`InvalidQuery` if it is none."""
    check: Callable[[Payload], Payload]
    """Returns a payload as it is stored and sent, the same object unless the dialect has to correct something; raises
    :exc:`InvalidFields`, with pointers below ``#/payload``, if it cannot be sent."""

    to_large: Callable[[Payload], LargePayload]
    """A payload that was checked, if it is large, as the texts that are stored and sent; this takes long."""

    batchable: Batchable = never
    """Whether a payload may be sent together with others, to devices that take batches."""

    def device(self, local: str) -> str:
        """The id of the device that calls itself ``local``."""
        return f"{self.name}:{local}"
