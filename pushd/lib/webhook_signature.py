"""Signatures and headers as the Standard Webhooks specification 1.0.0 defines them. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import compare_digest, digest
from secrets import token_bytes

SECRET_PREFIX = "whsec_"
"""The prefix of a secret in the specification; base64 follows."""

SECRET_BYTES = 24
"""Of a new secret; the specification asks for 24 to 64."""

MAX_SECRET_BYTES = 64


def make_signing_secret() -> str:
    """A new secret, section "Signature scheme"."""
    return SECRET_PREFIX + b64encode(token_bytes(SECRET_BYTES)).decode("ascii")


def is_signing_secret(text: str) -> bool:
    """Whether this is a secret as the specification has them."""
    try:
        key = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(SECRET_PREFIX) and SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES


class InvalidSignature(Exception):
    """A message was not signed with any of the secrets, or not at about this time."""


def sign(secret: str, message: str, seconds: int, body: bytes) -> str:
    """A signature, section "Signature scheme": ``v1,`` and HMAC-SHA256 of id, seconds since the epoch, and body."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message}.{seconds}.".encode() + body
    return "v1," + b64encode(digest(key, signed, sha256)).decode("ascii")


def headers(secrets: Iterable[str], message: str, seconds: int, body: bytes) -> Mapping[str, str]:
    """The headers of one attempt, section "Webhook headers"; any of the secrets verifies it.

    ``message`` is its id, without dots: the same for each attempt, so that duplicates can be recognized.
    """
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(sign(secret, message, seconds, body) for secret in secrets),
    }


def verify(secrets: Iterable[str], received: Mapping[str, str], body: bytes, *, now: float, tolerance: float) -> str:
    """The id of a message that is signed with one of the secrets, within ``tolerance`` seconds of ``now``.

    The names of the ``received`` headers may be in any case; ``body`` is the bytes as they arrived.

    :raises InvalidSignature: if it is not.
    """
    given = {name.lower(): value for name, value in received.items()}
    try:
        message, timestamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise InvalidSignature(f"the header {missing.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise InvalidSignature("the header webhook-timestamp is not a number of seconds")
    if abs(now - int(timestamp)) > tolerance:
        raise InvalidSignature(f"it was signed more than {tolerance:g} s before or after now")
    known = [sign(secret, message, int(timestamp), body).encode() for secret in secrets]
    for signature in signatures.encode("utf-8", "replace").split():
        if any(compare_digest(signature, each) for each in known):
            return message
    raise InvalidSignature("none of its signatures is valid for the secrets")
