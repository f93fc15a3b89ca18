"""Tests of ``pushctl devices secret`` and ``pushctl devices api-key``."""

import json
from pathlib import Path

import pytest

from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

CONTAINER = "servereye:4f1c2d"
SECRET = f"POST /v1/devices/{CONTAINER}/secret"
KEY = f"POST /v1/devices/{CONTAINER}/api-key"


@pytest.fixture(autouse=True)
def _issued(server: FakeServer) -> None:
    server.on(SECRET, Answer(status=201, body={"secret": "xyz", "path": "/d/xyz"}))
    server.on(KEY, Answer(status=201, body={"key": "abc"}))


@pytest.mark.parametrize(("name", "call", "shown"), [("secret", SECRET, "/d/xyz"), ("api-key", KEY, "abc")])
def test_shown_once(server: FakeServer, pushctl: Pushctl, name: str, call: str, shown: str) -> None:
    """It is printed alone, so that it can be pasted; the old one stays valid if that is requested."""
    result = pushctl("devices", name, CONTAINER, "--overlap", "1h")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{shown}\n", "")
    assert server.calls(call)[0].query == {"overlap": ["3600"]}
    pushctl("devices", name, CONTAINER)
    assert server.calls(call)[1].query == {"overlap": ["0"]}


@pytest.mark.parametrize(("name", "shown"), [("secret", "/d/xyz"), ("api-key", "abc")])
def test_in_a_file(pushctl: Pushctl, tmp_path: Path, name: str, shown: str) -> None:
    """With --out it is written to a file that only its owner can read, and printed nowhere."""
    path = tmp_path / "out"
    result = pushctl("devices", name, CONTAINER, "--out", str(path), "--json")
    assert json.loads(result.stdout) == {"device": CONTAINER, "file": str(path)}
    assert path.stat().st_mode & 0o777 == 0o600
    written = json.loads(path.read_text())
    assert written["device"] == CONTAINER
    assert shown in written.values()
    assert pushctl("devices", name, CONTAINER, "--out", str(tmp_path / "two")).stdout == f"written to {tmp_path}/two\n"


def test_no_secret_is_made_in_vain(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """If it could not be kept, or would be printed for programs, the server is not asked for one."""
    path = tmp_path / "out"
    path.write_text("mine")
    exists = pushctl("devices", "secret", CONTAINER, "--out", str(path))
    assert (exists.exit_code, "choose another name" in exists.stderr) == (1, True)
    missing = pushctl("devices", "secret", CONTAINER, "--out", str(tmp_path / "no" / "out"))
    assert (missing.exit_code, "is not a directory" in missing.stderr) == (1, True)
    as_json = pushctl("devices", "secret", CONTAINER, "--json")
    assert (as_json.exit_code, "--out" in as_json.stderr) == (2, True)
    assert (server.received, path.read_text()) == ([], "mine")
