"""Tests of ``pushctl info``."""

import json

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

INFO = {
    "version": "26.11.0",
    "schema": 12,
    "node": "gate",
    "started_at": "2026-01-02T03:04:05.000Z",
    "dialects": ["controlid", "servereye"],
    "listen": {"devices": ["tcp:8080"], "admin": ["tcp:8081"], "bases": []},
    "options": {"keep": 30, "hold": {"servereye": 40}, "smtp-password-file": "***", "store": None},
    "counts": {"devices": 3, "online": 2, "unknown": 0},
}


def test_everything_is_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """Each field is a line; what is empty is left out, a count of 0 is not."""
    server.on("GET /v1/info", Answer(body=INFO))
    result = pushctl("info")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    for line in (
        ["version", "26.11.0"],
        ["dialects", "controlid,", "servereye"],
        ["counts"],
        ["unknown", "0"],
        ["smtp-password-file", "***"],
        ["hold", "servereye=40"],
    ):
        assert line in lines
    assert ["store", "-"] not in lines


def test_as_json(server: FakeServer, pushctl: Pushctl) -> None:
    """Programs get the answer of the server."""
    server.on("GET /v1/info", Answer(body=INFO))
    assert json.loads(pushctl("info", "--json").stdout) == INFO
