"""Webhooks: check that a message is from the server, and read its event."""

import time
from collections.abc import Mapping, Sequence

from attrs import frozen

from pushd.client.reading import read, read_object
from pushd.client.values import Event
from pushd.lib.webhook_signature import verify

TOLERANCE = 300.0
"""Seconds by which the clocks of the server and the receiver may differ; what is older may be an attacker's repeat."""


@frozen(kw_only=True)
class WebhookMessage:
    """A message of a webhook."""

    id: str
    """The same for each attempt to deliver an event: a message whose id was seen before is a repeat."""
    event: Event


def read_webhook(
    secret: str | Sequence[str], headers: Mapping[str, str], body: bytes, *, tolerance: float = TOLERANCE
) -> WebhookMessage:
    """Verify a message (Standard Webhooks 1.0.0), and read it.

    ``secret`` is that of the webhook, ``whsec_...``, or several while they overlap. ``headers`` are those of the
    request, in any case; ``body`` is its bytes as they arrived.

    :raises InvalidSignature: if it was not signed with a secret, or more than ``tolerance`` seconds ago.
    :raises UnexpectedAnswer: if it is signed, but is no message of the format ``standard``.
    """
    secrets = [secret] if isinstance(secret, str) else secret
    message = verify(secrets, headers, body, now=time.time(), tolerance=tolerance)
    return WebhookMessage(id=message, event=read(Event, read_object(body).get("data")))
