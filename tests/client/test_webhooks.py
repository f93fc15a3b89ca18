"""Tests of verified webhooks, with messages that the reference library and the server sign."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from pushd.client import EventType, InvalidSignature, UnexpectedAnswer, read_webhook

SECRET = "whsec_" + b64encode(b"s" * 24).decode()
OTHER = "whsec_" + b64encode(b"o" * 24).decode()
EVENT: dict[str, Any] = {
    "seq": "5f0c8a41e7d2-4711",
    "type": "command.succeeded",
    "at": "2027-01-15T08:00:00.000Z",
    "device": "controlid:7",
    "by": None,
    "command": "019bb9d1-3a00-7000-8000-0123456789ab",
    "data": {"endpoint": "load_objects", "attempts": 1},
    "new": "of a newer server",
}
BODY = json.dumps({"type": EVENT["type"], "timestamp": EVENT["at"], "data": EVENT}).encode()


def signed(body: bytes = BODY, ago: timedelta = timedelta(0)) -> dict[str, str]:
    """The headers of a message, by the reference library."""
    at = datetime.now(UTC) - ago
    return {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(SECRET).sign("evt_1", at, body.decode()),
    }


@pytest.mark.parametrize("secret", [SECRET, [OTHER, SECRET]])
def test_valid_message(secret: str | list[str]) -> None:
    """A message that is signed with the secret, or with one of several, is read."""
    message = read_webhook(secret, signed(), BODY)
    assert (message.id, message.event.type) == ("evt_1", EventType.COMMAND_SUCCEEDED)
    assert (message.event.at, message.event.data["attempts"]) == (datetime(2027, 1, 15, 8, tzinfo=UTC), 1)


def test_one_valid_signature_is_enough() -> None:
    """While secrets overlap, a message has several signatures, of which a receiver may know one."""
    headers = signed()
    headers["Webhook-Signature"] = "v1,AAAA v2,ä " + headers["Webhook-Signature"]
    assert read_webhook(SECRET, headers, BODY).id == "evt_1"


@pytest.mark.parametrize(
    ("changes", "body", "secret"),
    [
        ({}, BODY.replace(b"7", b"8"), SECRET),
        ({}, BODY, OTHER),
        ({}, BODY, []),
        ({"Webhook-Id": "evt_2"}, BODY, SECRET),
        ({"Webhook-Timestamp": "1"}, BODY, SECRET),
        ({"Webhook-Timestamp": "now"}, BODY, SECRET),
        ({"Webhook-Timestamp": "9" * 400}, BODY, SECRET),
        ({"Webhook-Signature": ""}, BODY, SECRET),
        ({"Webhook-Signature": "v1,"}, BODY, SECRET),
    ],
)
def test_invalid_message(changes: dict[str, str], body: bytes, secret: str | list[str]) -> None:
    """A message that was changed, or signed with another secret, is refused."""
    with pytest.raises(InvalidSignature):
        read_webhook(secret, signed() | changes, body)


def test_missing_header() -> None:
    """A message without a signature is refused, and the error names what is missing."""
    headers = signed()
    del headers["Webhook-Signature"]
    with pytest.raises(InvalidSignature, match="webhook-signature"):
        read_webhook(SECRET, headers, BODY)


@pytest.mark.parametrize("ago", [timedelta(seconds=320), timedelta(seconds=-320)])
def test_other_time(ago: timedelta) -> None:
    """A message of another time is refused, unless the tolerance is larger."""
    with pytest.raises(InvalidSignature, match="300 s"):
        read_webhook(SECRET, signed(ago=ago), BODY)
    assert read_webhook(SECRET, signed(ago=ago), BODY, tolerance=400).id == "evt_1"


@pytest.mark.parametrize("body", [b"[]", b"nothing", b'{"text": "for Slack"}'])
def test_other_formats(body: bytes) -> None:
    """What is signed but no message about an event is an error of its own."""
    with pytest.raises(UnexpectedAnswer):
        read_webhook(SECRET, signed(body), body)
