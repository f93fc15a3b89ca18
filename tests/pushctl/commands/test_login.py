"""Tests of ``pushctl login``, ``pushctl logout`` and ``pushctl profiles``."""

import json
import stat
from pathlib import Path

import pytest

from pushd.pushctl.profiles import load_profiles, profiles_path
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

URL = "https://pushd.example"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a home directory of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(server: FakeServer) -> FakeServer:
    """A server that accepts every token."""
    server.on("GET /v1/info", Answer(body={"version": "26.11.0"}))
    server.on("GET /v1/devices", Answer(body={"items": [], "next": None}))
    return server


def test_later_calls_use_the_saved_server(server: FakeServer, pushctl: Pushctl) -> None:
    """After a login no option is needed: URL and token are saved, readable by their owner only."""
    result = pushctl.without_token("login", URL, stdin="typed-token\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "typed-token" not in result.output
    assert stat.S_IMODE(profiles_path().stat().st_mode) == 0o600
    assert pushctl.without_token("devices").exit_code == 0
    headers = server.calls("GET /v1/devices")[-1].headers
    assert (headers["host"], headers["authorization"]) == ("pushd.example", "Bearer typed-token")


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("http://pushd.example", True),
        ("http://192.0.2.1:8081", True),
        ("https://pushd.example", False),
        ("http://127.0.0.1:8081", False),
        ("http://[::1]:8081", False),
        ("http://localhost:8081", False),
    ],
)
def test_token_that_others_can_read(server: FakeServer, pushctl: Pushctl, url: str, warns: bool) -> None:
    """Where the token leaves the machine without encryption, a warning says so before it is asked for."""
    result = pushctl.without_token("login", url, stdin="secret\n")
    assert result.exit_code == 0
    assert ("is not encrypted" in result.stderr) is warns


def test_refused_token_is_not_saved(server: FakeServer, pushctl: Pushctl) -> None:
    """A token that the server does not accept changes nothing."""
    server.on("GET /v1/info", Answer(status=401, body={"title": "Unauthorized", "detail": "The token is wrong."}))
    result = pushctl.without_token("login", URL, stdin="wrong\n")
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (401): The token is wrong.\n")
    assert not profiles_path().exists()


def test_missing_token_is_not_sent(server: FakeServer, pushctl: Pushctl) -> None:
    """Without a token on standard input nothing is sent or saved."""
    result = pushctl.without_token("login", URL, stdin="")
    assert result.exit_code == 1
    assert "token is empty" in result.stderr
    assert not server.received


def test_several_servers(server: FakeServer, pushctl: Pushctl) -> None:
    """Each profile has its server; --profile selects one, otherwise it is that of the latest login."""
    pushctl.without_token("login", URL, stdin="one\n")
    pushctl.without_token("login", "https://lab.example/", "--profile", "lab", stdin="two\n")
    shown = json.loads(pushctl.without_token("profiles", "--json").stdout)
    assert shown == [
        {"profile": "default", "url": URL, "default": False},
        {"profile": "lab", "url": "https://lab.example", "default": True},
    ]
    table = pushctl.without_token("profiles").stdout.splitlines()
    assert [line.split()[-1] for line in table] == ["--profile", "no", "yes"]
    pushctl.without_token("--profile", "default", "devices")
    assert server.calls("GET /v1/devices")[-1].headers["authorization"] == "Bearer one"


def test_default_is_changed(server: FakeServer, pushctl: Pushctl) -> None:
    """Whatever changes the default says so; --default chooses another."""
    pushctl.without_token("login", URL, stdin="one\n")
    login = pushctl.without_token("login", "https://lab.example/", "--profile", "lab", stdin="two\n")
    assert login.stdout.splitlines()[1:] == ["The default profile is lab now; it was default."]
    assert "no     " not in pushctl.without_token("profiles", "--default", "default").stdout.splitlines()[1]
    pushctl.without_token("devices")
    assert server.calls("GET /v1/devices")[-1].headers["authorization"] == "Bearer one"
    assert pushctl.without_token("profiles", "--default", "nope").exit_code == 1
    logout = pushctl.without_token("logout", "default")
    assert logout.stdout.splitlines()[1:] == ["The default profile is lab now; it was default."]
    pushctl.without_token("login", "https://x.example/", "--profile", "x", stdin="3\n")
    pushctl.without_token("login", "https://y.example/", "--profile", "y", stdin="4\n")
    logout = pushctl.without_token("logout", "y")
    assert "pushctl profiles --default NAME" in logout.stdout


def test_new_token_of_a_profile(server: FakeServer, pushctl: Pushctl) -> None:
    """A login without a URL replaces the token of the profile and keeps its server."""
    pushctl.without_token("login", URL, stdin="one\n")
    pushctl.without_token("login", stdin="two\n")
    profile = load_profiles(profiles_path()).get("default")
    assert (profile.url, profile.token) == (URL, "two")


def test_logout_deletes_the_token(server: FakeServer, pushctl: Pushctl) -> None:
    """A deleted profile leaves no token in the file."""
    pushctl.without_token("login", URL, stdin="secret-one\n")
    result = pushctl.without_token("logout", "default")
    assert (result.exit_code, result.stdout) == (0, f"The profile default for {URL} is deleted.\n")
    assert "secret-one" not in profiles_path().read_text()
    assert pushctl.without_token("logout", "default").exit_code == 1


def test_no_profiles(pushctl: Pushctl) -> None:
    """Without profiles the list says how to make one."""
    result = pushctl("profiles")
    assert (result.exit_code, result.stdout) == (0, "")
    assert '"pushctl login" makes one' in result.stderr
