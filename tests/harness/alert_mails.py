"""Mails about alerts."""

import re
from collections.abc import Iterable
from email.message import EmailMessage

_MESSAGE_ID = re.compile(r"<alert-([0-9a-f]+-\d+|[0-9]+)\.\d+(\.cleared)?@example\.org>")


def alert_id(message_id: str) -> str | None:
    """The id of the alert that a mail with this Message-ID is about; None if it is about none."""
    found = _MESSAGE_ID.fullmatch(message_id)
    return None if found is None else found[1]


def cleared_alerts(mails: Iterable[EmailMessage]) -> set[str]:
    """The ids of the alerts of which the mails say that they are cleared."""
    found = (_MESSAGE_ID.fullmatch(mail["Message-ID"]) for mail in mails)
    return {each[1] for each in found if each is not None and each[2]}
