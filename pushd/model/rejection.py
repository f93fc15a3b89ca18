"""Rejections: requests of the device port that were refused, as operators see them."""

from enum import StrEnum

from attrs import frozen


class RejectionReason(StrEnum):
    """Why a request was refused."""

    WRONG_BASE = "wrong_base"  # nothing is served at its path
    NO_DEVICE_ID = "no_device_id"  # it names no device, or not one of its dialect
    UNKNOWN_SECRET = "unknown_secret"  # no device has the secret in its path
    MISSING_PROOF = "missing_proof"  # the device has a secret path or an API key, which it does not send
    WRONG_PROOF = "wrong_proof"  # it sends that of another device, or an API key that is not valid
    ADDRESS_NOT_ALLOWED = "address_not_allowed"  # it is outside the networks of its device
    BLOCKED = "blocked"
    CLOSED = "closed"  # the device is unknown, and admission is closed
    PUSH_SUFFIX = "push_suffix"  # the address in the device ends in /push, which the device appends itself
    PENDING_FULL = "pending_full"  # the device is unknown, and no more may wait for an approval
    POLLS_FULL = "polls_full"  # no more polls can be held
    TLS_ON_PLAIN_PORT = "tls_on_plain_port"
    NOT_HTTP = "not_http"


@frozen(kw_only=True)
class Rejection:
    """Equal requests that were refused for one reason; timestamps in wall milliseconds.

    ``path`` has no query and no secret, and is None if no request could be read; ``device`` is the id that the client
    claims, if it does.
    """

    address: str | None
    path: str | None
    reason: RejectionReason
    count: int
    first_at: int
    last_at: int
    device: str | None
    remedy: str
