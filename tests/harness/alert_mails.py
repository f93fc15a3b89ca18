"""Mails about alerts."""

import re

_MESSAGE_ID = re.compile(r"<alert-([0-9a-f]+-\d+|[0-9]+)\.\d+@example\.org>")


def alert_id(message_id: str) -> str | None:
    """The id of the alert that a mail with this Message-ID is about; None if it is about none."""
    found = _MESSAGE_ID.fullmatch(message_id)
    return None if found is None else found[1]
