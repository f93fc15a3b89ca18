"""Tests of ``pushctl sessions``."""

import json
from typing import Any

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

ID = "019bb9d1-3a00-7000-8000-0123456789ab"
SESSION: dict[str, Any] = {
    "id": ID,
    "name": "ana",
    "role": "operator",
    "by": "invitation",
    "address": "192.0.2.17",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "created_at": "1970-01-12T12:46:40.000Z",
    "last_used_at": "1970-01-12T13:41:40.000Z",
    "expires_at": "1970-01-13T01:41:40.000Z",
}


def test_list(server: FakeServer, pushctl: Pushctl) -> None:
    """The table shows who is logged in, from where, with which browser, and how long ago each was active."""
    server.on("GET /v1/sessions", Answer(body={"items": [SESSION], "next": None}))
    line = pushctl("sessions").stdout.splitlines()[1]
    shown = ("ana", "operator", "invitation", "192.0.2.17", "5 min", "60 min", "Firefox", ID)
    assert [text for text in shown if text not in line] == []
    assert json.loads(pushctl("sessions", "--json").stdout) == [SESSION]


def test_end(server: FakeServer, pushctl: Pushctl) -> None:
    """Sessions are ended by their ids."""
    server.on(f"DELETE /v1/sessions/{ID}", Answer(status=204))
    assert pushctl("sessions", "end", ID).stdout == f"{ID} ended\n"
    assert json.loads(pushctl("sessions", "end", ID, "--json").stdout) == {"id": ID}
