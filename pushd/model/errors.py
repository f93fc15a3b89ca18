"""Errors of the domain; the HTTP layer maps them to status codes, and dialects to their own answers."""

from collections.abc import Iterable

from attrs import frozen


class PushdError(Exception):
    """An error that a client can understand; the message is for people, ``kind`` names the case for programs."""

    kind = "about:blank"
    """The ``type`` of the problem details (RFC 9457, section 4.2.1: nothing beyond the status code).

    :data:`pushd.http.error_status.STATUS` has the status of each.
    """


@frozen
class FieldError:
    """What is wrong with one field: a JSON pointer (RFC 6901) into the body, and a sentence."""

    pointer: str
    detail: str


class InvalidFields(PushdError):
    """One or more fields are unknown, of the wrong type or out of bounds."""

    kind = "invalid-fields"

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in self.errors))


class InvalidQuery(PushdError):
    """The query or the path of a request is invalid."""

    kind = "bad-request"


class BodyTooLarge(PushdError):
    """A body exceeds its limit."""

    kind = "body-too-large"


class NotAuthenticated(PushdError):
    """The request has no valid token."""

    kind = "unauthenticated"


class NotPermitted(PushdError):
    """The client was identified, and may not do this; or it is not admitted."""

    kind = "forbidden"


class UnknownDevice(PushdError):
    """No device has this id."""

    kind = "not-found"


class UnknownAlert(PushdError):
    """No alert has this id; it may have been purged."""

    kind = "not-found"


class UnknownCommand(PushdError):
    """No command has this id."""

    kind = "not-found"


class UnknownDialect(PushdError):
    """There is no dialect with this name."""

    kind = "not-found"


class UnknownWebhook(PushdError):
    """No webhook has this id."""

    kind = "not-found"


class UnknownToken(PushdError):
    """No token has this id."""

    kind = "not-found"


class UnknownPerson(PushdError):
    """No person has this name."""

    kind = "not-found"


class UnknownSession(PushdError):
    """No session has this id; it may have ended."""

    kind = "not-found"


class Conflict(PushdError):
    """The request conflicts with the state of the device or command."""

    kind = "conflict"


class DeviceKnown(Conflict):
    """A device with this id is registered already."""

    kind = "device-known"


class DeviceBlocked(Conflict):
    """The device is blocked, and is sent no commands."""

    kind = "device-blocked"


class DeviceSignedOff(Conflict):
    """The device has signed off."""

    kind = "device-signed-off"


class QueueFull(Conflict):
    """The queue of the device has reached its limit."""

    kind = "queue-full"


class TooManyWebhooks(Conflict):
    """The number of webhooks has reached its limit."""

    kind = "too-many-webhooks"


class NoMail(Conflict):
    """No mails can be sent, because none are configured."""

    kind = "no-mail"


class TooManyTests(PushdError):
    """Too many test messages were requested; another one may be after ``retry_after`` seconds."""

    kind = "too-many-tests"

    def __init__(self, message: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class TooManyTokens(Conflict):
    """The number of tokens has reached its limit."""

    kind = "too-many-tokens"


class TooManyPeople(Conflict):
    """The number of people has reached its limit."""

    kind = "too-many-people"


class NameTaken(Conflict):
    """A person or another token has this name."""

    kind = "name-taken"


class LastAdmin(Conflict):
    """Without this token, no admin token that lasts would be left."""

    kind = "last-admin"


class IllegalMove(Conflict):
    """The lifecycle does not allow this move from the state of the command."""

    kind = "illegal-move"


class ModelUnknown(Conflict):
    """It is not known how the device opens what it guards."""

    kind = "model-unknown"


class CannotOpen(Conflict):
    """A device of this dialect opens nothing."""

    kind = "cannot-open"


class NoApiKey(Conflict):
    """A device of this dialect sends no API key."""

    kind = "no-api-key"


class KeyReused(PushdError):
    """An idempotency key was used again with another body."""

    kind = "idempotency-conflict"


class EventsPurged(PushdError):
    """The events that were asked for were purged, or this database never had them.

    ``oldest`` is the number of the first event that is kept, ``oldest_id`` its id.
    """

    kind = "events-purged"

    def __init__(self, oldest: int, oldest_id: str, message: str = "Events that old are no longer kept.") -> None:
        self.oldest = oldest
        self.oldest_id = oldest_id
        super().__init__(message)


class Unavailable(PushdError):
    """The request may succeed later: the store fails, the server stops, or too many bodies are being read.

    ``is_logged``: the cause was logged when it was found, and not each request that it fails is.
    """

    kind = "unavailable"

    def __init__(self, message: str, *, is_logged: bool = False) -> None:
        super().__init__(message)
        self.is_logged = is_logged


class AdmissionChanged(Unavailable):
    """Nothing was done: another process has changed what a client was admitted by. It is to be judged anew by what the
    database has, and if it is still admitted, the operation is to be done again; so no client gets this.
    """

    def __init__(self) -> None:
        super().__init__("What the client was admitted by has changed; try again.", is_logged=True)


class OutcomeInDoubt(Unavailable):
    """A commit failed so that it is not known whether it is stored: it may be found after a crash."""

    kind = "outcome-in-doubt"


def is_logged(error: BaseException | None) -> bool:
    """Whether the cause of an error was logged already."""
    return bool(getattr(error, "is_logged", False))


class MissingHost(PushdError):
    """A request of HTTP/1.1 has no Host header."""

    kind = "bad-request"

    def __init__(self) -> None:
        super().__init__("The header Host is required.")


class UnsupportedEncoding(PushdError):
    """The body of a request is compressed."""

    kind = "unsupported-encoding"

    def __init__(self) -> None:
        super().__init__("A body with a Content-Encoding is not supported; send it as it is.")


class TooManyPolls(Unavailable):
    """As many polls are held as the limit of open files allows."""

    def __init__(self) -> None:
        super().__init__("Too many polls are held; try again.", is_logged=True)


class StoreRefused(PushdError):
    """The database cannot be opened: newer than this program, not a database, or held by another process."""
