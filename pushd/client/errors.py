"""What can go wrong: one class for each ``type`` of problem that the server answers, and those without an answer."""

from collections.abc import Mapping

from attrs import frozen

from pushd.model.errors import FieldError


class ClientError(Exception):
    """Anything that goes wrong in a call."""


class Unreachable(ClientError):
    """There was no answer. Unless ``never_sent`` is true, the server may have done what it was asked."""

    def __init__(self, message: str, *, never_sent: bool) -> None:
        self.never_sent = never_sent
        super().__init__(message)


class UnexpectedAnswer(ClientError):
    """The answer is not one of the admin API of pushd: another program, or the device port, listens there."""


@frozen(kw_only=True)
class ProblemDetails:
    """The problem details (RFC 9457) of an answer; ``oldest`` is given by :exc:`EventsPurged` alone."""

    type: str = "about:blank"
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    oldest: str | None = None


class Problem(ClientError):
    """The server refused or failed; its subclasses are the known types, and a newer server may have others."""

    def __init__(self, status: int, details: ProblemDetails) -> None:
        self.status = status
        self.details = details
        super().__init__(f"{details.detail or details.type} ({status} {details.type})")

    @property
    def type(self) -> str:
        """The word for programs, such as ``device-signed-off``."""
        return self.details.type

    @property
    def detail(self) -> str:
        """A sentence for people: what is wrong, and what to do."""
        return self.details.detail


class BadRequest(Problem):
    """The body is not JSON, or a parameter or an id is invalid."""


class Unauthenticated(Problem):
    """The token is missing, wrong, revoked or expired."""


class Forbidden(Problem):
    """The role of the token, or its list of endpoints, does not allow this call."""


class NotFound(Problem):
    """There is no such device, command or alert, or it is not in the scope of the token."""


class MethodNotAllowed(Problem):
    """The path does not have this method."""


class Conflict(Problem):
    """The state of the device or command does not allow this."""


class DeviceKnown(Conflict):
    """A device with this id is registered already."""


class DeviceBlocked(Conflict):
    """The device is blocked, and is sent no commands."""


class DeviceSignedOff(Conflict):
    """The device has signed off; ``queue=True`` queues the command nevertheless."""


class QueueFull(Conflict):
    """1000 commands are queued for this device."""


class IllegalMove(Conflict):
    """The state of the command does not allow this."""


class TooManyWebhooks(Conflict):
    """There are as many webhooks as there may be."""


class TooManyTokens(Conflict):
    """There are as many tokens as there may be."""


class TooManyPeople(Conflict):
    """The number of people has reached its limit."""


class NameTaken(Conflict):
    """A token or a person has this name already."""


class LastAdmin(Conflict):
    """Without this token the server could not be administered."""


class ModelUnknown(Conflict):
    """It is not known how the device opens its door: its facts need a ``model``."""


class CannotOpen(Conflict):
    """Devices of this dialect open no doors."""


class NoApiKey(Conflict):
    """Devices of this dialect send no API key."""


class NoMail(Conflict):
    """The server has no recipients of mails."""


class EventsPurged(Problem):
    """Events after this position are no longer kept, or this database never had them.

    Continue after :attr:`oldest`, and list what you need again.
    """

    @property
    def oldest(self) -> str:
        """The ``seq`` of the first event that is kept."""
        return self.details.oldest or "0"


class BodyTooLarge(Problem):
    """The body exceeds its limit."""


class UnsupportedEncoding(Problem):
    """The body has a Content-Encoding."""


class InvalidFields(Problem):
    """Fields are unknown, of the wrong type or out of range."""

    @property
    def errors(self) -> tuple[FieldError, ...]:
        """What is wrong with each: a JSON pointer into the body, and a sentence."""
        return self.details.errors


class IdempotencyConflict(Problem):
    """The idempotency key was used for this device with another body."""


class TooManyTests(Problem):
    """Too many test messages were requested."""


class Unavailable(Problem):
    """The server cannot serve now, and stored nothing; the call was repeated, and still failed."""


class OutcomeInDoubt(Unavailable):
    """The disk of the server failed: the change may be stored or not."""


PROBLEMS: Mapping[str, type[Problem]] = {
    "bad-request": BadRequest,
    "unauthenticated": Unauthenticated,
    "forbidden": Forbidden,
    "not-found": NotFound,
    "method-not-allowed": MethodNotAllowed,
    "conflict": Conflict,
    "device-known": DeviceKnown,
    "device-blocked": DeviceBlocked,
    "device-signed-off": DeviceSignedOff,
    "queue-full": QueueFull,
    "illegal-move": IllegalMove,
    "too-many-webhooks": TooManyWebhooks,
    "too-many-tokens": TooManyTokens,
    "too-many-people": TooManyPeople,
    "name-taken": NameTaken,
    "last-admin": LastAdmin,
    "model-unknown": ModelUnknown,
    "cannot-open": CannotOpen,
    "no-api-key": NoApiKey,
    "no-mail": NoMail,
    "events-purged": EventsPurged,
    "body-too-large": BodyTooLarge,
    "unsupported-encoding": UnsupportedEncoding,
    "invalid-fields": InvalidFields,
    "idempotency-conflict": IdempotencyConflict,
    "too-many-tests": TooManyTests,
    "unavailable": Unavailable,
    "outcome-in-doubt": OutcomeInDoubt,
}
"""The class of each type of problem."""

_BY_STATUS: Mapping[int, type[Problem]] = {409: Conflict, 422: InvalidFields, 503: Unavailable}
"""The class of a type that is not known here."""


def problem_of(status: int, details: ProblemDetails) -> Problem:
    """The error of an answer."""
    return PROBLEMS.get(details.type, _BY_STATUS.get(status, Problem))(status, details)
