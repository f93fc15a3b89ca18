"""Tests of ``pushctl people`` and ``pushctl invite``."""

import json
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

ANA: dict[str, Any] = {
    "name": "ana",
    "role": "operator",
    "devices": None,
    "sites": ["north"],
    "tags": None,
    "endpoints": None,
    "created_by": "admin",
    "created_at": "1970-01-12T13:41:40.000Z",
    "invited_until": None,
}
EVA = {**ANA, "name": "eva", "role": "admin", "sites": None, "invited_until": "1970-01-12T13:51:40.000Z"}
LINK = "https://push.example.org/login#invite=kE3v0Y1c9mQ7sZfHtB2xRw8uLpNdJa5G"
INVITED = Answer(status=201, body={"url": LINK, "expires_at": "1970-01-12T13:51:40.000Z"})
UNKNOWN = Answer(status=404, body={"type": "not-found", "detail": "No person ana is known."})


@pytest.fixture(autouse=True)
def _known(server: FakeServer) -> None:
    server.on("GET /v1/people", Answer(body={"items": [ANA, EVA], "next": None}))
    server.on("POST /v1/people/ana/invite", INVITED)


def test_list(pushctl: Pushctl) -> None:
    """The table shows of each person the role, what limits it, and whether an invitation is open."""
    lines = pushctl("people").stdout.splitlines()
    assert lines[1].split()[:4] == ["ana", "operator", "site", "north"]
    assert lines[2].split()[:3] == ["eva", "admin", "everything"]
    assert "1970-01-12" in lines[2]
    assert json.loads(pushctl("people", "--json").stdout) == [ANA, EVA]


def test_no_people(server: FakeServer, pushctl: Pushctl) -> None:
    """An empty list says so."""
    server.on("GET /v1/people", Answer(body={"items": [], "next": None}))
    assert pushctl("people").stderr == "No people.\n"


def test_a_new_person_is_invited(server: FakeServer, pushctl: Pushctl) -> None:
    """One command adds a person and prints the link, alone on stdout; for whom it is stands on stderr."""
    server.on("PATCH /v1/people/ana", UNKNOWN)
    server.on("POST /v1/people", Answer(status=201, body=ANA))
    result = pushctl("invite", "ana", "--role", "operator", "--site", "north")
    [request] = server.calls("POST /v1/people")
    assert request.body == {"name": "ana", "role": "operator", "sites": ["north"]}
    assert (result.exit_code, result.stdout) == (0, f"{LINK}\n")
    assert result.stderr.startswith("Send this link to ana (operator, site north): it logs in once, until 1970-01-12")


def test_a_known_person_is_changed(server: FakeServer, pushctl: Pushctl) -> None:
    """Of a person who is known, what is given is changed before the link is made."""
    server.on("PATCH /v1/people/ana", Answer(body=ANA))
    assert pushctl("invite", "ana", "--all", "sites", "--tag", "door").stdout == f"{LINK}\n"
    [request] = server.calls("PATCH /v1/people/ana")
    assert request.body == {"sites": None, "tags": ["door"]}


def test_a_known_person_is_invited_again(server: FakeServer, pushctl: Pushctl) -> None:
    """Without options a person stays as it is."""
    server.on("GET /v1/people/ana", Answer(body=ANA))
    assert pushctl("invite", "ana").stdout == f"{LINK}\n"


def test_a_new_person_needs_a_role(server: FakeServer, pushctl: Pushctl) -> None:
    """Who is mistyped is not added by accident."""
    server.on("GET /v1/people/ana", UNKNOWN)
    result = pushctl("invite", "ana")
    assert result.exit_code == 2
    assert "give --role to add one" in result.stderr
    assert not server.calls("POST /v1/people/ana/invite")


def test_what_the_server_refuses(server: FakeServer, pushctl: Pushctl) -> None:
    """A refusal is shown, and no link is made."""
    server.on("PATCH /v1/people/ana", Answer(status=403, body={"type": "forbidden", "detail": "This requires admin."}))
    result = pushctl("invite", "ana", "--role", "viewer")
    assert result.exit_code != 0
    assert "This requires admin." in result.stderr
    assert not server.calls("POST /v1/people/ana/invite")


def test_a_link_in_a_file(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """With --out the link is in a private file, and nowhere else; with --json only so."""
    server.on("GET /v1/people/ana", Answer(body=ANA))
    out = tmp_path / "ana.link"
    result = pushctl("invite", "ana", "--out", str(out), "--json")
    assert (out.read_text(), S_IMODE(out.stat().st_mode)) == (f"{LINK}\n", 0o600)
    assert LINK not in result.stdout + result.stderr
    assert json.loads(result.stdout)["out"] == str(out)
    assert (
        f"the link in {tmp_path / 'other'} to ana" in pushctl("invite", "ana", "--out", str(tmp_path / "other")).stderr
    )
    assert pushctl("invite", "ana", "--json").exit_code == 2


def test_a_change(server: FakeServer, pushctl: Pushctl) -> None:
    """A change sends what is given, and shows the result."""
    server.on("PATCH /v1/people/ana", Answer(body=ANA))
    assert pushctl("people", "set", "ana", "--role", "operator").stdout == "ana (operator, site north).\n"
    assert json.loads(pushctl("people", "set", "ana", "--all", "tags", "--json").stdout) == ANA
    assert [each.body for each in server.calls("PATCH /v1/people/ana")] == [{"role": "operator"}, {"tags": None}]
    assert pushctl("people", "set", "ana").exit_code == 2


def test_people_are_deleted(server: FakeServer, pushctl: Pushctl) -> None:
    """Each is deleted; one who is unknown is named, and the others are deleted all the same."""
    server.on("DELETE /v1/people/ana", UNKNOWN)
    server.on("DELETE /v1/people/eva", Answer(status=204))
    result = pushctl("people", "delete", "ana", "eva")
    assert result.stdout == "eva deleted\n"
    assert "ana: " in result.stderr
    assert result.exit_code != 0
