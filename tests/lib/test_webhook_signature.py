"""Tests of :mod:`pushd.lib.webhook_signature`, against the library of the Standard Webhooks project."""

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from pushd.lib.webhook_signature import headers, is_signing_secret, make_signing_secret, sign

MESSAGE = "evt_42"
BODY = '{"type":"command.succeeded","data":{"ä":"€"}}'.encode()


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
    sent = headers([secret], MESSAGE, int(time.time()), BODY)
    assert Webhook(secret).verify(BODY, dict(sent)) == {"type": "command.succeeded", "data": {"ä": "€"}}


def test_each_of_several_secrets_verifies() -> None:
    """While secrets overlap, a receiver that knows one of them can verify the message, and no other can."""
    old, new, other = make_signing_secret(), make_signing_secret(), make_signing_secret()
    sent = dict(headers([new, old], MESSAGE, int(time.time()), BODY))
    for secret in (old, new):
        Webhook(secret).verify(BODY, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, sent)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_timestamp_are_signed(name: str) -> None:
    """A message whose id or timestamp was changed does not verify."""
    secret = make_signing_secret()
    sent = dict(headers([secret], MESSAGE, int(time.time()), BODY))
    sent[name] += "1" if name == "webhook-id" else ".0"
    sent[name] = sent[name] if name == "webhook-id" else str(int(time.time()) - 7)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, sent)


def test_secrets_are_long_enough() -> None:
    """A secret is 192 random bits in base64, the minimum of the specification."""
    secret = make_signing_secret()
    assert secret.startswith("whsec_")
    assert len(secret.removeprefix("whsec_")) == 32
    assert secret != make_signing_secret()


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_A?==", "whsec_" + "A" * 20, "A" * 32, "whsec_" + "A" * 92])
def test_what_is_no_secret(text: str) -> None:
    """A secret has its prefix, and 24 to 64 bytes in base64."""
    assert not is_signing_secret(text)
    assert is_signing_secret(make_signing_secret())
    assert is_signing_secret("whsec_" + "A" * 84)
