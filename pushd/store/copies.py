"""What each process keeps in memory of what all of them may change: devices, tokens, people, sessions, webhooks."""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from pushd.model.device import Device, Proof
from pushd.model.token import Token, TokenSecret


class Copied(Enum):
    """What is read anew as a whole when another process has changed some of it."""

    PRINCIPALS = "principals"  # tokens, people, invitations and sessions
    WEBHOOKS = "webhooks"


@frozen
class StoredDevice:
    """A device with its secrets and API keys."""

    device: Device
    proofs: Sequence[Proof] = ()


@frozen
class StoredToken:
    """A token with its secrets."""

    token: Token
    secrets: Sequence[TokenSecret] = ()


class ICopies(Protocol):
    """Keeps them up to date."""

    def change_devices(self, changed: Mapping[str, StoredDevice | None]) -> None:
        """Other processes have changed devices, or deleted them (None); called before listeners get their events."""

    def read_again(self, stale: Collection[Copied]) -> Deferred[None]:
        """Other processes have changed what is copied, or may have; fires when it is known how it is now."""
