"""Tests of :mod:`pushd.notifications.webhooks.signature`, against the library of the Standard Webhooks project."""

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from pushd.core.webhooks import make_signing_secret
from pushd.model.event import Event, EventType
from pushd.notifications.webhooks.signature import headers, sign, write_message

EVENT = Event(
    seq=42, type=EventType.COMMAND_SUCCEEDED, at=1_800_000_000_678, device="controlid:1", command="c", data={"ä": "€"}
)


def test_published_example() -> None:
    """The example that the Standard Webhooks libraries are tested with has the published signature."""
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_reference_library_verifies_messages() -> None:
    """A receiver that uses the reference library can verify and read a message."""
    secret = make_signing_secret()
    body = write_message(EVENT)
    sent = headers([secret], EVENT, int(time.time()), body)
    assert Webhook(secret).verify(body, dict(sent)) == {
        "type": "command.succeeded",
        "timestamp": "2027-01-15T08:00:00.678Z",
        "data": {
            "seq": "42",
            "type": "command.succeeded",
            "at": "2027-01-15T08:00:00.678Z",
            "device": "controlid:1",
            "command": "c",
            "data": {"ä": "€"},
        },
    }


def test_each_of_several_secrets_verifies() -> None:
    """While secrets overlap, a receiver that knows one of them can verify the message, and no other can."""
    old, new, other = make_signing_secret(), make_signing_secret(), make_signing_secret()
    body = write_message(EVENT)
    sent = dict(headers([new, old], EVENT, int(time.time()), body))
    for secret in (old, new):
        Webhook(secret).verify(body, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(body, sent)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_timestamp_are_signed(name: str) -> None:
    """A message whose id or timestamp was changed does not verify."""
    secret = make_signing_secret()
    body = write_message(EVENT)
    sent = dict(headers([secret], EVENT, int(time.time()), body))
    sent[name] += "1" if name == "webhook-id" else ".0"
    sent[name] = sent[name] if name == "webhook-id" else str(int(time.time()) - 7)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, sent)


def test_secrets_are_long_enough() -> None:
    """A secret is 192 random bits in base64, the minimum of the specification."""
    secret = make_signing_secret()
    assert secret.startswith("whsec_")
    assert len(secret.removeprefix("whsec_")) == 32
    assert secret != make_signing_secret()
