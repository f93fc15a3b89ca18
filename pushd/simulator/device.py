"""Simulated devices of any dialect: their ids, and what a fleet does with them."""

from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred


@frozen
class DeviceId:
    """The id of a device: its dialect, and its id in that dialect."""

    dialect: str
    local: str

    def __str__(self) -> str:
        return f"{self.dialect}:{self.local}"


class SimulatedDevice(Protocol):
    """A simulated device; it may be started and stopped repeatedly."""

    @property
    def id(self) -> str:
        """``<dialect>:<id in that dialect>``."""

    def start(self) -> None:
        """Start polling."""

    def go_offline(self) -> None:
        """Close all connections at once and send nothing more, whatever is in progress."""

    def stop(self) -> Deferred[None]:
        """Stop, with a sign-off if the dialect has one; fires when all connections are closed."""
