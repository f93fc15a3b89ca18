"""Notifications between nodes: which devices a transaction has touched, sent with its commit."""

from collections.abc import Collection

from attrs import frozen

from pushd.store.postgres.pipeline import Request, to_text
from pushd.store.transaction import ITransaction, Statement

CHANNEL = "pushd"

MAX_PAYLOAD = 7900
"""Bytes; PostgreSQL takes less than 8000."""

EVERY_DEVICE = "*"
"""Stands for devices that are too many to be named."""


@frozen
class Notification:
    """What a process has committed; ``devices`` None: any of them may have changed."""

    sender: str
    devices: tuple[str, ...] | None

    def to_payload(self) -> str:
        """As it is sent: the sender and the devices, none of which has a space in its name."""
        payload = " ".join([self.sender, *(self.devices or ())])
        if self.devices is None or len(payload.encode()) > MAX_PAYLOAD:
            return f"{self.sender} {EVERY_DEVICE}"
        return payload

    @classmethod
    def of_payload(cls, payload: str) -> "Notification":
        """The notification that was sent as this payload."""
        sender, *devices = payload.split(" ")
        return cls(sender, None if EVERY_DEVICE in devices else tuple(devices))


def notify(sender: str, devices: Collection[str]) -> Request:
    """What announces to all nodes, with the commit, that devices were touched, or that there are new events."""
    return notification(CHANNEL, Notification(sender, tuple(devices)).to_payload())


def notification(channel: str, payload: str) -> Request:
    """What sends a notification with the commit."""
    return Request(b"SELECT pg_notify($1, $2)", [to_text(channel), to_text(payload)])


_NOTIFY = Statement("notify other nodes", "SELECT pg_notify(:channel, :payload)")


def announce_all(tx: ITransaction, sender: str) -> None:
    """Announce to all nodes that any device may have changed, in a way that no event shows."""
    tx.rows(_NOTIFY, channel=CHANNEL, payload=Notification(sender, None).to_payload())
