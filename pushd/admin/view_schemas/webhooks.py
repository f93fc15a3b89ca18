"""Schemas of what the API shows of webhooks."""

from pushd.admin.json_schema import described, schema_of
from pushd.admin.view_schemas.components import TEXT, component, extended, page, small
from pushd.core.notification_tester import ReceiverAnswer
from pushd.model.webhook import Attempt, Webhook

WEBHOOK = component(
    "Webhook",
    Webhook,
    {
        "id": "its id",
        "url": "where messages are sent; in lists, shortened to its host and last four characters",
        "format": "what a message looks like",
        "types": "types of events; empty: all",
        "devices": "ids of devices; empty: any",
        "sites": "sites, of which the device is in one; empty: any",
        "tags": "tags, all of which the device has; empty: any",
        "include_result": "whether messages about ended commands have the result of the device",
        "parallel": "how many messages are sent at once",
        "created_at": "when it was made",
        "cursor": "the ``seq`` of the event up to which all are delivered",
        "disabled_at": "when it was disabled",
        "disabled_reason": "why",
        "failing_since": "the first failure of the event that has failed for longest",
        "next_attempt_at": "when that event is sent again",
    },
    cursor=TEXT,
)
_SIGNS = described(TEXT, "signs the messages; shown only here")
WEBHOOKS = page("WebhookList", WEBHOOK)
ISSUED_WEBHOOK = extended(WEBHOOK, "IssuedWebhook", secret=_SIGNS)
WEBHOOK_SECRET = small("WebhookSecret", secret=_SIGNS)
RECEIVER_ANSWER = component(
    "ReceiverAnswer",
    ReceiverAnswer,
    {
        "status": "the status code of the response, if there was one",
        "duration": "seconds",
        "error": "what went wrong",
    },
)
DELIVERIES = page(
    "DeliveryList",
    component(
        "DeliveryAttempt",
        Attempt,
        {
            "seq": "of the event",
            "at": "when",
            "duration": "seconds",
            "status": "the status code of the response, if there was one",
            "error": "what went wrong",
        },
        seq=TEXT,
        duration=schema_of(float),
    ),
)
