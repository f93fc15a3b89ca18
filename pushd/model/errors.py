"""What can go wrong, in our own words; the doors put it into theirs."""

from collections.abc import Iterable

from attrs import frozen


class PushdError(Exception):
    """Something that whoever asked can understand; the message is one sentence for a person."""


@frozen
class FieldError:
    """What is wrong with one field: a JSON pointer (RFC 6901) into the body, and the remedy in words."""

    pointer: str
    detail: str


class InvalidFields(PushdError):
    """One or more fields are unknown, of the wrong type or out of bounds."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in self.errors))


class InvalidQuery(PushdError):
    """The query of a request, or its path, cannot be read."""


class BodyTooLarge(PushdError):
    """A body exceeds its limit."""


class NotAuthenticated(PushdError):
    """No valid token came with a request."""


class NotPermitted(PushdError):
    """Whoever asks is known, or knowingly unknown, and may not."""


class UnknownDevice(PushdError):
    """No device has this id."""


class UnknownAlert(PushdError):
    """There is no such alert, or it is no longer kept."""


class UnknownCommand(PushdError):
    """No command has this id."""


class UnknownWebhook(PushdError):
    """No webhook has this id."""


class Conflict(PushdError):
    """The request is fine, but not now; ``kind`` names the case for programs."""

    kind = "conflict"


class DeviceKnown(Conflict):
    """A device with this id is registered already."""

    kind = "device-known"


class DeviceBlocked(Conflict):
    """A blocked device is sent nothing."""

    kind = "device-blocked"


class DeviceSignedOff(Conflict):
    """The device went away on purpose."""

    kind = "device-signed-off"


class QueueFull(Conflict):
    """As many commands as may wait for this device do."""

    kind = "queue-full"


class TooManyWebhooks(Conflict):
    """There are as many webhooks as there may be."""

    kind = "too-many-webhooks"


class IllegalMove(Conflict):
    """The command is not in a state from which this can be done."""

    kind = "illegal-move"


class KeyReused(PushdError):
    """An idempotency key came again with another body."""


class EventsPurged(PushdError):
    """The feed no longer goes back that far; ``oldest`` is the first that is kept."""

    def __init__(self, oldest: int | None) -> None:
        self.oldest = oldest
        super().__init__("Events that old are no longer kept.")


class Unavailable(PushdError):
    """Not now: the store does not answer, or we are about to stop, or too much is being read at once."""


class StoreRefused(PushdError):
    """The database cannot be opened: newer than this program, not a database, or held by another process."""
