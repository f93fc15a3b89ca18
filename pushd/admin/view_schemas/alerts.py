"""Schemas of what the API shows of alerts."""

from pushd.admin.view_schemas.components import TEXT, component, page
from pushd.model.alert import Alert

ALERT = component(
    "Alert",
    Alert,
    {
        "id": "unique for ever",
        "kind": "what it is about",
        "devices": "the devices that it is about; of many, the first 1000",
        "count": "how many devices it is about",
        "address": "of a ``site_offline`` alert: the address or network that its devices share",
        "site": "of a ``site_offline`` alert: the site that its devices share",
        "webhook": "of a ``webhook`` alert: the id of the webhook",
        "raised_at": "when it was raised",
        "cleared_at": "when it was cleared; null: it is open",
        "duration": "seconds for which it was open, once it is cleared",
        "acknowledged_at": "when an operator acknowledged it",
        "acknowledged_by": "the name of the operator's token",
        "mailed_at": "when the mail server accepted the latest mail about it",
        "mail_error": "why the latest mail did not reach every recipient",
    },
    id=TEXT,
)
ALERTS = page("AlertList", ALERT)
