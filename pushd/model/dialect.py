"""What a dialect is, to the rooms that do not speak it."""

from collections.abc import Callable

from attrs import frozen

from pushd.model.command import Payload

Batchable = Callable[[Payload], bool]
"""Whether a payload may travel with others in one answer."""


def never(_payload: Payload) -> bool:
    """For a dialect that knows no batches."""
    return False


@frozen(kw_only=True)
class Dialect:
    """One value that a dialect's folder hands to the service; the core and the admin door know only this.

    Durations are in seconds.
    """

    name: str
    """As in ids: ``<name>:<local part>``."""
    lease: float
    """How long a sent command is the device's, unless the sender says otherwise."""
    hold: float
    """How long a poll is held before its device has taught us better."""
    heartbeat: float
    """How long a device may be silent, unless an operator says otherwise."""
    one_at_a_time: bool
    """Whether one command at a time is handed over."""
    keys: bool
    """Whether its devices can show an API key."""
    canonical: Callable[[str], str]
    """The local part of an id in the one way that it is written; raises :exc:`InvalidQuery`."""
    check: Callable[[Payload], None]
    """Raises :exc:`InvalidFields`, with pointers below ``#/payload``, if a payload cannot be sent."""

    batchable: Batchable = never
    """Whether a payload may travel with others, where batches are allowed."""

    def device(self, local: str) -> str:
        """The id of the device that calls itself ``local``."""
        return f"{self.name}:{local}"
