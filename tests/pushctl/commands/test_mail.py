"""Tests of ``pushctl mail``."""

import json

from pushd.pushctl.commands.mail import SESSION_TIMEOUT
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

ACCEPTED = {"address": "ops@example.org", "accepted": True, "reply": "250 OK"}
REFUSED = {"address": "lisbon@example.org", "accepted": False, "reply": "550 no such user"}


def test_accepted(server: FakeServer, pushctl: Pushctl) -> None:
    """A test mail that reached all recipients is a success, however long the mail server takes."""
    server.on("POST /v1/mail/test", Answer(body={"recipients": [ACCEPTED]}, takes=SESSION_TIMEOUT - 20))
    result = pushctl("mail", "test")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == ["ops@example.org", "accepted", "250", "OK"]


def test_refused(server: FakeServer, pushctl: Pushctl) -> None:
    """What the mail server replied about each recipient is shown; the exit code says that one was refused."""
    server.on("POST /v1/mail/test", Answer(body={"recipients": [ACCEPTED, REFUSED]}))
    result = pushctl("mail", "test", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [ACCEPTED, REFUSED])
    assert pushctl("mail", "test").stdout.splitlines()[2].split()[:2] == ["lisbon@example.org", "failed"]


def test_no_mail(server: FakeServer, pushctl: Pushctl) -> None:
    """A server that sends no mails says how to configure them."""
    detail = "No mails are configured; start the server with --mail-to, --mail-from and --smtp."
    server.on("POST /v1/mail/test", Answer(status=409, body={"type": "no-mail", "detail": detail}))
    result = pushctl("mail", "test")
    assert (result.exit_code, result.stderr) == (1, f"pushctl: refused (409): {detail}\n")
