"""Messages, signatures and headers as the Standard Webhooks specification 1.0.0 defines them. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from hmac import digest

from pushd.lib import strict_json
from pushd.model.event import Event, to_json
from pushd.model.timestamps import to_rfc3339
from pushd.model.webhook import SECRET_PREFIX


def write_message(event: Event) -> bytes:
    """The body of a message, section "Payload structure"; its ``data`` is the event as the admin API shows it."""
    message = {"type": event.type, "timestamp": to_rfc3339(event.at), "data": to_json(event)}
    return strict_json.write(message).encode()


def sign(secret: str, message: str, seconds: int, body: bytes) -> str:
    """A signature, section "Signature scheme": ``v1,`` and HMAC-SHA256 of id, seconds since the epoch, and body."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message}.{seconds}.".encode() + body
    return "v1," + b64encode(digest(key, signed, sha256)).decode("ascii")


def headers(secrets: Iterable[str], event: Event, seconds: int, body: bytes) -> Mapping[str, str]:
    """The headers of one attempt, section "Webhook headers"; any of the secrets verifies it."""
    message = f"evt_{event.public_id}"  # the same for each attempt, so that duplicates can be recognized; without dots
    return {
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(sign(secret, message, seconds, body) for secret in secrets),
    }
