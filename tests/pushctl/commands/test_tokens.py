"""Tests of ``pushctl tokens``."""

import json
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
from rich.console import Console

from pushd.pushctl import terminal
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

ID, OTHER = "019bb9d1-3a00-7000-8000-0123456789ab", "019bb9d1-3a00-7000-8000-0123456789ac"
TOKEN: dict[str, Any] = {
    "id": ID,
    "name": "lobby",
    "role": "operator",
    "devices": ["controlid:4408801109440198"],
    "sites": None,
    "tags": None,
    "endpoints": ["open"],
    "expires_at": None,
    "last_used_at": "1970-01-12T13:41:40.000Z",
    "created_by": "admin",
    "created_at": "1970-01-12T13:41:40.000Z",
    "file": False,
}
"""A token as lists show it; last used five minutes before the tests' clock begins."""

ADMIN = {**TOKEN, "id": OTHER, "name": "admin", "role": "admin", "devices": None, "endpoints": None, "file": True}
SECRET = "pushd_5Rk0ZyQ8h3VbN1cXw7TgLmE2uJfPaDs9oBvH4yK"
MADE = {**TOKEN, "token": SECRET}


@pytest.fixture(autouse=True)
def _known(server: FakeServer) -> None:
    server.on("GET /v1/tokens", Answer(body={"items": [TOKEN, ADMIN], "next": None}))


def test_list(pushctl: Pushctl) -> None:
    """The table shows of each token its role, what limits it, and when it was last used."""
    result = pushctl("tokens")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "lobby" in lines[1]
    assert "operator" in lines[1]
    assert "everything" in result.stdout
    assert "5 min" in lines[1]


def test_list_fits_into_80_columns(pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a narrow terminal the name, the role and the scope stay."""
    monkeypatch.setattr(terminal, "console", lambda **_: Console(width=80))
    result = pushctl("tokens")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert all(word in result.stdout for word in ("lobby", "operator", "controlid:4408801109440198", "open"))


def test_list_as_json(pushctl: Pushctl) -> None:
    """With --json the list is one array."""
    assert json.loads(pushctl("tokens", "--json").stdout) == [TOKEN, ADMIN]


def test_one_thing_at_one_reader(server: FakeServer, pushctl: Pushctl) -> None:
    """A token that may only open one door is one command; the secret is alone on stdout, and the hint on stderr."""
    server.on("POST /v1/tokens", Answer(status=201, body=MADE))
    result = pushctl(
        "tokens",
        "create",
        "lobby",
        "--role",
        "operator",
        "--device",
        "controlid:4408801109440198",
        "--endpoint",
        "open",
    )
    [request] = server.calls("POST /v1/tokens")
    assert request.body == {
        "name": "lobby",
        "role": "operator",
        "devices": ["controlid:4408801109440198"],
        "endpoints": ["open"],
    }
    assert result.stdout == f"{SECRET}\n"
    assert "Token lobby: operator, device controlid:4408801109440198; endpoint open." in result.stderr
    assert "shown only now" in result.stderr


@pytest.mark.parametrize(
    ("expires", "sent"),
    [
        ("30d", "1970-02-11T13:46:40.000Z"),
        ("2027-01-31T18:00Z", "2027-01-31T18:00:00+00:00"),
        ("2027-01-31T18:00:00+02:00", "2027-01-31T18:00:00+02:00"),
        ("never", None),
    ],
)
def test_expiry(server: FakeServer, pushctl: Pushctl, expires: str, sent: str | None) -> None:
    """A token expires after a duration, at a time, or never."""
    server.on("POST /v1/tokens", Answer(status=201, body=MADE))
    options = ["--site", "Lobby", "--site", "Yard", "--tag", "door", "--expires", expires]
    assert pushctl("tokens", "create", "x", "--role", "viewer", *options).exit_code == 0
    [request] = server.calls("POST /v1/tokens")
    assert request.body == {
        "name": "x",
        "role": "viewer",
        "sites": ["Lobby", "Yard"],
        "tags": ["door"],
        "expires_at": sent,
    }


@pytest.mark.parametrize("expires", ["tomorrow", "2027-01-31T18:00", "-5"])
def test_wrong_expiry(server: FakeServer, pushctl: Pushctl, expires: str) -> None:
    """What is no time is refused before the server is asked."""
    result = pushctl("tokens", "create", "x", "--role", "viewer", f"--expires={expires}")
    assert (result.exit_code, server.received) == (2, [])
    assert "neither a duration" in result.stderr


def test_a_secret_in_a_file(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """With --out the secret goes to a new file that only its owner can read, and to nothing else."""
    server.on("POST /v1/tokens", Answer(status=201, body=MADE))
    out = tmp_path / "lobby.token"
    command = ("tokens", "create", "lobby", "--role", "operator", "--out", str(out))
    result = pushctl(*command, "--json")
    assert (out.read_text(), S_IMODE(out.stat().st_mode)) == (f"{SECRET}\n", 0o600)
    assert SECRET not in result.output
    assert json.loads(result.stdout) == {**TOKEN, "out": str(out)}
    again = pushctl(*command)
    assert (again.exit_code, len(server.calls("POST /v1/tokens"))) == (1, 1)


@pytest.mark.parametrize(
    "command",
    [
        "tokens create lobby --role operator",
        "tokens rotate lobby",
        "webhooks add https://example.com",
        "webhooks secret w1",
        "devices secret controlid:1",
        "devices api-key servereye:c",
        "provision controlid:1",
    ],
)
def test_no_secret_as_json(server: FakeServer, pushctl: Pushctl, command: str) -> None:
    """With --json a secret needs a file: nothing is made without one."""
    result = pushctl(*command.split(), "--json")
    assert (result.exit_code, server.received) == (2, [])
    assert "--json needs --out" in result.stderr


@pytest.mark.parametrize("token", [ID, "lobby"])
def test_set(server: FakeServer, pushctl: Pushctl, token: str) -> None:
    """A token is changed by its id or its name; only what is given is sent."""
    changed = {**TOKEN, "name": "hall", "endpoints": None, "sites": [], "expires_at": "2027-01-31T18:00:00.000Z"}
    server.on(f"PATCH /v1/tokens/{ID}", Answer(body=changed))
    result = pushctl("tokens", "set", token, "--name", "hall", "--all", "endpoints", "--tag", "door")
    [request] = server.calls(f"PATCH /v1/tokens/{ID}")
    assert request.body == {"name": "hall", "endpoints": None, "tags": ["door"]}
    assert result.stdout.startswith("Token hall: operator, device controlid:4408801109440198; site none, until 2027-")


def test_set_nothing(server: FakeServer, pushctl: Pushctl) -> None:
    """A change of nothing is a mistake."""
    assert (pushctl("tokens", "set", "lobby").exit_code, server.received) == (2, [])


def test_rotate(server: FakeServer, pushctl: Pushctl) -> None:
    """A new secret, and how long the old one stays valid."""
    server.on(f"POST /v1/tokens/{ID}/rotate", Answer(status=201, body=MADE))
    assert pushctl("tokens", "rotate", "lobby", "--overlap", "30d").stdout == f"{SECRET}\n"
    [request] = server.calls(f"POST /v1/tokens/{ID}/rotate")
    assert request.query == {"overlap": ["2592000"]}


def test_revoke(server: FakeServer, pushctl: Pushctl) -> None:
    """Several tokens are revoked; one that the server refuses makes the exit code 1."""
    server.on(f"DELETE /v1/tokens/{ID}", Answer(status=204, body=b""))
    server.on(f"DELETE /v1/tokens/{OTHER}", Answer(status=409, body={"title": "Conflict", "detail": "The last."}))
    result = pushctl("tokens", "revoke", "admin", "lobby")
    assert (result.exit_code, result.stdout) == (1, "lobby revoked\n")
    assert "admin: refused (409): The last." in result.stderr


@pytest.mark.parametrize("command", [("set", "--name", "x"), ("rotate",), ("revoke",)])
def test_unknown_token(pushctl: Pushctl, command: tuple[str, ...]) -> None:
    """A name or id that no token has is said to be unknown."""
    result = pushctl("tokens", *command, "nothing")
    assert result.exit_code == 1
    assert 'there is no token nothing; "pushctl tokens" lists them' in result.stderr


def test_expired_token_is_marked(server: FakeServer, pushctl: Pushctl) -> None:
    """A token that is not valid any more is said to have expired."""
    old, new = (
        {**TOKEN, "name": name, "expires_at": f"{year}-01-01T00:00:00Z"} for name, year in (("a", 1969), ("b", 2999))
    )
    server.on("GET /v1/tokens", Answer(body={"items": [old, new], "next": None}))
    _, first, second = pushctl("tokens").stdout.splitlines()
    assert ("(expired)" in first, "(expired)" in second) == (True, False)


def test_expiry_of_no_time(server: FakeServer, pushctl: Pushctl) -> None:
    """A token that would have expired at once is not made."""
    result = pushctl("tokens", "create", "x", "--role", "viewer", "--expires", "0s")
    assert (result.exit_code, server.received) == (2, [])
    assert "give a duration such as 30d" in result.stderr.replace("\n", " ")


@pytest.mark.parametrize("known", [True, False])
def test_scope_without_devices(server: FakeServer, pushctl: Pushctl, known: bool) -> None:
    """A scope in which no device is now is most likely mistyped; the token is made nevertheless."""
    server.on("POST /v1/tokens", Answer(status=201, body=MADE))
    server.on("GET /v1/devices", Answer(body={"items": [{"id": "controlid:1"}] * known, "next": None}))
    server.on("GET /v1/devices/controlid:1", Answer(status=200 if known else 404, body={"detail": "No."}))
    by_site = pushctl("tokens", "create", "x", "--role", "viewer", "--site", "Nowhere")
    by_device = pushctl("tokens", "create", "x", "--role", "viewer", "--device", "controlid:1")
    assert (by_site.exit_code, by_device.exit_code) == (0, 0)
    assert ("no device matches now: site Nowhere" in by_site.stderr) is not known
    assert ("there is no device controlid:1 now" in by_device.stderr) is not known
    assert server.calls("GET /v1/devices")[0].query["site"] == ["Nowhere"]
