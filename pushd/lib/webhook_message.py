"""Messages of webhooks in the format ``standard``, without their signature. Pure."""

from collections.abc import Mapping
from typing import Any

from pushd.lib import strict_json

USER_AGENT = "pushd"

CONTENT_TYPE = "application/json"

RECEIVER_TIMEOUT = 10.0
"""Seconds that a receiver has to answer."""

MAX_RESULT = 64 * 1024
"""Bytes of a result that a message has at most."""

Shown = Mapping[str, Any]
"""An event as the API and webhooks show it."""


def message_id(seq: str) -> str:
    """The id of the message about the event with this ``seq``."""
    return f"evt_{seq}"


def write_body(event: Shown) -> bytes:
    """Section "Payload structure" of the Standard Webhooks specification 1.0.0."""
    return strict_json.write({"type": event["type"], "timestamp": event["at"], "data": event}).encode()


def result_data(text: bytes) -> dict[str, Any]:
    """What a message has of a result, by its JSON: all of it, or the beginning of its text if it is large."""
    if len(text) <= MAX_RESULT:
        return {"result": strict_json.parse(text.decode())}
    return {"result": text[:MAX_RESULT].decode("utf-8", "ignore"), "result_size": len(text)}
