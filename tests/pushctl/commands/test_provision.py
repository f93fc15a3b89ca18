"""Tests of ``pushctl provision``."""

import json
from pathlib import Path
from typing import Any

import pytest

from pushd.pushctl.commands import provision
from tests.pushctl.fake_server import DEVICE, Answer, FakeServer, Pushctl

READER = "controlid:3206485144263533"
KNOWN = {**DEVICE, "id": READER, "proof": [], "facts": {"serial": "0G020?/005B6D"}}
URL = "https://push.example.org/readers/"
LOOK, CHANGE = f"GET /v1/devices/{READER}", f"PATCH /v1/devices/{READER}"
ADD, SECRET = "POST /v1/devices", f"POST /v1/devices/{READER}/secret"
OPTIONS = ("--model", "idflex", "--device-url", URL)


@pytest.fixture(autouse=True)
def _known(server: FakeServer) -> None:
    """The server knows the reader, which has no secret yet."""
    server.on(LOOK, Answer(body=KNOWN))
    server.on(CHANGE, Answer(body=KNOWN))
    server.on(ADD, Answer(status=201, body=KNOWN))
    server.on(SECRET, Answer(status=201, body={"secret": "xyz", "path": "/d/xyz"}))


def push_server(text: str) -> dict[str, Any]:
    """The configuration in what was printed."""
    settings: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])["push_server"]
    return settings


def test_new_reader(server: FakeServer, pushctl: Pushctl) -> None:
    """A reader is registered by its serial number, gets a secret, and its configuration is printed in two forms."""
    server.on(LOOK, Answer(status=404, body={"detail": "No such."}))
    result = pushctl("provision", "0G0200/005B6D", *OPTIONS, "--name", "Gate", "--site", "Lobby", "--tag", "a")
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.calls(ADD)[0].body == {
        "id": READER,
        "name": "Gate",
        "site": "Lobby",
        "tags": ["a"],
        "facts": {"model": "iDFlex"},
    }
    assert push_server(result.stdout) == {
        "push_remote_address": "https://push.example.org/readers/d/xyz",
        "push_request_timeout": "15000",
        "push_request_period": "1",
    }
    page = result.stdout.partition("own page")[2]
    assert [line.split()[-1] for line in page.splitlines() if line.startswith("  ")] == [
        "https://push.example.org/readers/d/xyz",
        "15000",
        "1",
    ]
    assert "controlid:3206485144263533 (0G020?/005B6D) is registered" in result.stdout


def test_known_reader(server: FakeServer, pushctl: Pushctl) -> None:
    """A reader that has polled before is approved, and keeps what is not given."""
    server.on(LOOK, Answer(body={**KNOWN, "admission": "pending", "facts": {"model": "iDFace"}}))
    result = pushctl("provision", READER, "--device-url", "192.0.2.10:8080")
    assert result.exit_code == 0
    assert server.calls(CHANGE)[0].body == {"admission": "approved", "facts": {"model": "iDFace"}}
    assert server.calls(ADD) == []
    assert push_server(result.stdout)["push_remote_address"] == "http://192.0.2.10:8080/d/xyz"


def test_warning_of_plain_http(pushctl: Pushctl) -> None:
    """If the secret is sent in clear text, a warning says so."""
    result = pushctl("provision", READER, "--model", "iDFlex", "--device-url", "http://192.0.2.10:8080")
    assert "sent in clear text" in result.stderr
    assert pushctl("provision", READER, *OPTIONS).stderr == ""


def test_reader_with_a_secret(server: FakeServer, pushctl: Pushctl) -> None:
    """A secret that may be in use is replaced only with --rotate, and stays valid for an hour then."""
    server.on(LOOK, Answer(body={**KNOWN, "proof": ["secret"]}))
    result = pushctl("provision", READER, *OPTIONS)
    assert (result.exit_code, "--rotate" in result.stderr) == (1, True)
    assert [call for call, _ in server.received] == [LOOK]
    assert pushctl("provision", READER, *OPTIONS, "--rotate").exit_code == 0
    assert server.calls(SECRET)[0].query == {"overlap": ["3600"]}


def test_blocked_reader(server: FakeServer, pushctl: Pushctl) -> None:
    """A reader that an operator blocked stays blocked."""
    server.on(LOOK, Answer(body={**KNOWN, "admission": "blocked"}))
    result = pushctl("provision", READER, *OPTIONS)
    assert (result.exit_code, "pushctl approve --unblock" in result.stderr) == (1, True)
    assert [call for call, _ in server.received] == [LOOK]


def test_address_of_the_server(server: FakeServer, pushctl: Pushctl) -> None:
    """Without --device-url the server's own is used."""
    server.on("GET /v1/info", Answer(body={"options": {"device-url": "https://push.example.net"}}))
    result = pushctl("provision", READER, "--model", "iDFlex")
    assert push_server(result.stdout)["push_remote_address"] == "https://push.example.net/d/xyz"


@pytest.mark.parametrize(
    ("arguments", "missing"), [(("--model", "iDFlex"), "--device-url"), (("--device-url", URL), "--model")]
)
def test_without_a_terminal(server: FakeServer, pushctl: Pushctl, arguments: tuple[str, ...], missing: str) -> None:
    """Without a terminal, what is missing is an error, and nothing is changed."""
    server.on("GET /v1/info", Answer(body={"options": {"device-url": None}}))
    result = pushctl("provision", READER, *arguments)
    assert (result.exit_code, f"Give {missing}" in result.stderr) == (2, True)
    assert not [call for call, _ in server.received if not call.startswith("GET")]


@pytest.mark.parametrize(("answer", "model"), [("id-face", "iDFace"), ("-", None), ("Other 7", "Other 7")])
def test_questions(
    server: FakeServer, pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch, answer: str, model: str | None
) -> None:
    """In a terminal, the operator is asked for the address and the model."""
    server.on("GET /v1/info", Answer(body={"options": {}}))
    answers = iter([URL, answer])
    monkeypatch.setattr(provision, "ask", lambda question, instead: next(answers))
    assert pushctl("provision", READER).exit_code == 0
    facts = {} if model is None else {"facts": {"model": model}}
    assert server.calls(CHANGE)[0].body == {"admission": "approved", **facts}


def test_in_a_file(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """With --out the configuration is only in a file that only its owner can read."""
    path = tmp_path / "reader.json"
    result = pushctl("provision", READER, *OPTIONS, "--out", str(path))
    assert (result.exit_code, "xyz" in result.output) == (0, False)
    assert push_server(path.read_text())["push_remote_address"].endswith("/d/xyz")
    assert path.stat().st_mode & 0o777 == 0o600
    server.received.clear()
    assert pushctl("provision", READER, *OPTIONS, "--out", str(path)).exit_code == 1
    assert pushctl("provision", READER, *OPTIONS, "--json").exit_code == 2
    assert server.received == []
    other = tmp_path / "other.json"
    as_json = pushctl("provision", READER, *OPTIONS, "--out", str(other), "--json")
    assert json.loads(as_json.stdout) == {"device": READER, "file": str(other)}


def test_another_dialect(server: FakeServer, pushctl: Pushctl) -> None:
    """Only Control iD devices are configured like this."""
    result = pushctl("provision", "servereye:4f1c2d", *OPTIONS)
    assert (result.exit_code, "pushctl devices secret" in result.stderr) == (2, True)
    assert server.received == []


def test_rotation_without_a_terminal(server: FakeServer, pushctl: Pushctl) -> None:
    """A remedy of the server, pasted into a script, works without further options: the address has a placeholder."""
    server.on(LOOK, Answer(body={**KNOWN, "proof": ["secret"]}))
    server.on("GET /v1/info", Answer(body={"options": {}}))
    result = pushctl("provision", READER, "--rotate")
    assert result.exit_code == 0
    assert push_server(result.stdout)["push_remote_address"] == "http://HOST:8080/d/xyz"
    assert "replace http://HOST:8080" in result.stderr
    assert server.calls(CHANGE)[0].body == {"admission": "approved"}


@pytest.mark.parametrize(("model", "warns"), [("iDNope", True), ("id flex", False)])
def test_unknown_model(server: FakeServer, pushctl: Pushctl, model: str, warns: bool) -> None:
    """A model that is most likely mistyped is named, with the known ones, by all commands that set it."""
    for call in (CHANGE, ADD):
        server.on(call, Answer(body={**KNOWN, "facts": {"model": model}}))
    for words in (
        ["provision", READER, "--device-url", URL],
        ["devices", "add", READER],
        ["devices", "set", READER],
        ["approve", READER],
    ):
        result = pushctl(*words, "--model", model)
        assert result.exit_code == 0
        assert (f"does not know the model {model}; it knows iDAccess, iDFit" in result.stderr) is warns, words
    assert "does not know" not in pushctl("devices", "set", READER, "--model", model, "--opens-with", "door").stderr


def test_unknown_model_in_a_file(server: FakeServer, pushctl: Pushctl, tmp_path: Path) -> None:
    """An import names the models that are not known once."""
    (tmp_path / "d.csv").write_text("id,model\ncontrolid:1,iDNope\ncontrolid:2,iDNope\nservereye:c,x\n")
    server.on("GET /v1/devices", Answer(body={"items": []}))
    result = pushctl("import", str(tmp_path / "d.csv"))
    assert "does not know the model iDNope; it knows" in result.stderr
