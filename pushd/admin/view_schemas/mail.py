"""The schema of what the API shows of mails."""

from pushd.admin.json_schema import list_of
from pushd.admin.view_schemas.components import component, small
from pushd.core.notification_tester import RecipientReply

_REPLY = component(
    "RecipientReply",
    RecipientReply,
    {
        "address": "the recipient",
        "accepted": "whether the mail server took the mail",
        "reply": "what it replied, or why it could not be asked",
    },
)
MAIL_TEST = small("MailTest", recipients=list_of(_REPLY))
