"""What there is to say about this server: its version, its options, and how many devices and commands it has."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, frozen

from pushd.core.polling.poll_registry import PollRegistry
from pushd.model.device import Admission, PresenceState
from pushd.store.interface import IStore
from pushd.store.membership import IMembership


@frozen(kw_only=True)
class ServerInfo:
    """What stays the same until the server stops."""

    version: str
    schema: int
    """The version of the database schema."""
    node: str
    """The name of the process among those that share the database, or of the machine if it is the only one."""
    started_at: int
    """Wall milliseconds."""
    dialects: tuple[str, ...]
    listen: Mapping[str, tuple[str, ...]]
    """By port: its endpoints, without secrets; ``bases`` are the URL prefixes of the device port."""
    options: Mapping[str, Any]
    """By name, as JSON, without secrets."""


Covers = Callable[[str], bool]
"""Whether a device, by its id, is to be counted; called on any thread."""


@define(eq=False)
class Info:
    """The server, and what it has now."""

    server: ServerInfo
    store: IStore
    membership: IMembership
    poll_registry: PollRegistry

    async def counts(self, covers: Covers | None = None) -> dict[str, int]:
        """How many devices, polls and commands there are; ``covers`` restricts them to some devices.

        The states of presence are those of approved devices, so that with ``pending`` and ``blocked`` they add up to
        ``devices``. They are counted as they are stored, which is seconds behind memory at most.
        """
        found = await self.store.counts(covers)
        by_presence = {state: found.devices.get((Admission.APPROVED, state), 0) for state in PresenceState}
        by_admission = {
            admission: sum(count for (of, _), count in found.devices.items() if of is admission)
            for admission in (Admission.PENDING, Admission.BLOCKED)
        }
        return {
            "devices": sum(found.devices.values()),
            **{str(name): count for name, count in (by_presence | by_admission).items()},
            "polls": self.poll_registry.count(covers),
            "queued": found.queued,
            "unknown": found.unknown,
        }
