"""Tests of ``pushctl webhooks``."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pushd.pushctl import terminal
from pushd.pushctl.exit_codes import ExitCode
from tests.pushctl.fake_server import Answer, FakeServer, Pushctl

ID, OTHER = "019bb9d1-3a00-7000-8000-0123456789ab", "019bb9d1-3a00-7000-8000-0123456789ac"
WEBHOOK: dict[str, Any] = {
    "id": ID,
    "url": "https://hooks.slack.com/***Xy9z",
    "format": "slack",
    "types": ["alert.raised", "alert.cleared"],
    "devices": [],
    "sites": ["Lisbon"],
    "tags": ["door"],
    "include_result": False,
    "parallel": 1,
    "created_at": "1970-01-12T13:41:40.000Z",
    "cursor": "5f0c8a41e7d2-17",
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
    "next_attempt_at": None,
}
"""A webhook as a list shows it."""

PLAIN = {**WEBHOOK, "id": OTHER, "format": "standard", "types": [], "sites": [], "tags": []}
PATH = f"/v1/webhooks/{ID}"


def _list(server: FakeServer, *webhooks: dict[str, Any]) -> None:
    server.on("GET /v1/webhooks", Answer(body={"items": list(webhooks), "next": None}))


def test_list(server: FakeServer, pushctl: Pushctl) -> None:
    """The table shows where events are sent, which, of which devices, and whether they arrive."""
    failing = {**PLAIN, "failing_since": "1970-01-12T13:41:40.000Z"}
    disabled = {**PLAIN, "disabled_at": "1970-01-12T13:41:40.000Z", "disabled_reason": "the receiver answered 410"}
    _list(server, WEBHOOK, failing, disabled)
    _, narrowed, second, third = pushctl("webhooks").stdout.splitlines()
    for cell in (
        ID,
        "https://hooks.slack.com/***Xy9z",
        "alert.raised, alert.cleared",
        "site Lisbon, tag door",
        " ok ",
    ):
        assert cell in narrowed
    assert second.split()[3:6] == ["all", "all", "failing"]
    assert third.rstrip().endswith("disabled  the receiver answered 410")


def test_list_in_a_narrow_terminal(server: FakeServer, pushctl: Pushctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns ids stay whole, and the state stays visible."""
    monkeypatch.setattr(terminal, "console", lambda *, err=False: Console(stderr=err, width=80, _environ={}))
    _list(server, WEBHOOK)
    lines = pushctl("webhooks").stdout.splitlines()
    assert lines[1].startswith(ID)
    assert "state" in lines[0]
    assert max(map(len, lines)) <= 80


def test_no_webhooks(server: FakeServer, pushctl: Pushctl) -> None:
    """An empty list is said to be empty; as JSON it is an empty array."""
    _list(server)
    assert pushctl("webhooks").stderr == "No webhooks.\n"
    assert pushctl("webhooks", "--json").stdout == "[]\n"


def test_add(server: FakeServer, pushctl: Pushctl) -> None:
    """A webhook is added with what is given, and its secret is printed."""
    server.on("POST /v1/webhooks", Answer(status=201, body={**PLAIN, "secret": "whsec_1"}))
    options = "--type command.failed --type command.unknown --device controlid:1 --site Lisbon --tag a --tag b"
    result = pushctl("webhooks", "add", "https://a.example/", *options.split(), "--include-result", "--parallel", "4")
    assert (result.exit_code, result.stdout) == (0, f"{OTHER} added\nsecret whsec_1\n")
    assert server.calls("POST /v1/webhooks")[0].body == {
        "url": "https://a.example/",
        "types": ["command.failed", "command.unknown"],
        "devices": ["controlid:1"],
        "sites": ["Lisbon"],
        "tags": ["a", "b"],
        "include_result": True,
        "parallel": 4,
    }


def test_url_from_standard_input(server: FakeServer, pushctl: Pushctl) -> None:
    """A URL that is a secret need not be on the command line; no secret is printed that the service does not use."""
    server.on("POST /v1/webhooks", Answer(status=201, body={**WEBHOOK, "secret": "whsec_1"}))
    result = pushctl(
        "webhooks", "add", "-", "--format", "slack", stdin="https://hooks.slack.com/services/T0/B0/Xy9z\n"
    )
    assert result.stdout == f"{ID} added\n"
    assert server.calls("POST /v1/webhooks")[0].body == {
        "url": "https://hooks.slack.com/services/T0/B0/Xy9z",
        "format": "slack",
    }


def test_refused_url(server: FakeServer, pushctl: Pushctl) -> None:
    """The reason why a URL is refused is shown."""
    problem = {"errors": [{"pointer": "#/url", "detail": "10.0.0.1 is not a public address."}]}
    server.on("POST /v1/webhooks", Answer(status=422, body=problem))
    result = pushctl("webhooks", "add", "http://10.0.0.1/")
    assert (result.exit_code, result.stderr) == (
        1,
        "pushctl: refused (422): #/url 10.0.0.1 is not a public address.\n",
    )


def test_set(server: FakeServer, pushctl: Pushctl) -> None:
    """A change sends what is given, and null for what is to be selected as a whole again."""
    server.on(f"PATCH {PATH}", Answer(body=WEBHOOK))
    result = pushctl("webhooks", "set", ID, "--tag", "door", "--all", "types", "--all", "sites", "--no-result")
    assert (result.exit_code, result.stdout) == (0, f"{ID} changed\n")
    assert server.calls(f"PATCH {PATH}")[0].body == {
        "types": None,
        "sites": None,
        "tags": ["door"],
        "include_result": False,
    }


def test_set_nothing(server: FakeServer, pushctl: Pushctl) -> None:
    """A change of nothing is a mistake, and no request is made."""
    assert pushctl("webhooks", "set", ID).exit_code == 2
    assert server.received == []


def test_show(server: FakeServer, pushctl: Pushctl) -> None:
    """A webhook is shown with its whole URL."""
    server.on(f"GET {PATH}", Answer(body={**WEBHOOK, "url": "https://hooks.slack.com/services/T0/B0/Xy9z"}))
    shown = pushctl("webhooks", "show", ID).stdout
    assert "https://hooks.slack.com/services/T0/B0/Xy9z" in shown
    assert "alert.raised, alert.cleared" in shown


@pytest.mark.parametrize(
    ("answer", "line", "code"),
    [
        ({"status": 200, "duration": 0.1421, "error": None}, "accepted: 200 in 0.142 s", 0),
        ({"status": None, "duration": 10.0, "error": "no answer within 10 s"}, "failed after 10 s: no answer", 1),
        ({"status": 404, "duration": 0.2, "error": "no_service"}, "failed after 0.2 s: 404: no_service", 1),
        (
            {"status": 302, "duration": 0.2, "error": "the receiver answered 302"},
            "failed after 0.2 s: the receiver",
            1,
        ),
    ],
)
def test_test(server: FakeServer, pushctl: Pushctl, answer: dict[str, Any], line: str, code: int) -> None:
    """A test shows what the receiver answered, and its exit code says whether it accepted."""
    server.on(f"POST {PATH}/test", Answer(body=answer, takes=9))
    result = pushctl("webhooks", "test", ID)
    assert result.exit_code == code
    assert result.stdout.startswith(f"{ID} {line}")


def test_several_tests(server: FakeServer, pushctl: Pushctl) -> None:
    """If one receiver does not accept, the others are tested nevertheless."""
    server.on(f"POST {PATH}/test", Answer(status=429, body={"detail": "Tested 10 times within a minute; wait 5 s."}))
    server.on(f"POST /v1/webhooks/{OTHER}/test", Answer(body={"status": 204, "duration": 0.1, "error": None}))
    result = pushctl("webhooks", "test", ID, OTHER, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["status"] == 204
    assert "wait 5 s" in result.stderr


def test_deliveries(server: FakeServer, pushctl: Pushctl) -> None:
    """The delivery log is a table, of as many attempts as are asked for."""
    attempt = {"seq": "s-1", "at": "1970-01-12T13:41:40.000Z", "duration": 0.3, "status": None, "error": "refused"}
    server.on(f"GET {PATH}/deliveries", Answer(body={"items": [attempt], "next": "5"}))
    result = pushctl("webhooks", "deliveries", ID, "--limit", "1")
    assert result.stdout.splitlines()[1].split()[-3:] == ["s", "-", "refused"]
    assert server.calls(f"GET {PATH}/deliveries")[0].query == {"limit": ["1"]}


@pytest.mark.parametrize(("options", "body"), [((), {}), (("--after", "0"), {"after": "0"})])
def test_redeliver(server: FakeServer, pushctl: Pushctl, options: tuple[str, ...], body: dict[str, str]) -> None:
    """A webhook continues where it stopped, or after an event."""
    server.on(f"POST {PATH}/redeliver", Answer(body=WEBHOOK))
    assert pushctl("webhooks", "redeliver", ID, *options).stdout == f"{ID} continues after event 5f0c8a41e7d2-17\n"
    assert server.calls(f"POST {PATH}/redeliver")[0].body == body


def test_secret(server: FakeServer, pushctl: Pushctl) -> None:
    """A new secret is printed, and the old one signs as long as is asked for."""
    server.on(f"POST {PATH}/secret", Answer(status=201, body={"secret": "whsec_2"}))
    assert pushctl("webhooks", "secret", ID, "--overlap", "1h").stdout == "secret whsec_2\n"
    assert server.calls(f"POST {PATH}/secret")[0].query == {"overlap": ["3600"]}


def test_delete(server: FakeServer, pushctl: Pushctl) -> None:
    """Webhooks are deleted one by one; one that is unknown makes the exit code 1."""
    server.on(f"DELETE {PATH}", Answer(status=204, body=b""))
    result = pushctl("webhooks", "delete", OTHER, ID)
    assert (result.exit_code, result.stdout) == (1, f"{ID} deleted\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--forward", "localhost:3000"], "is not an http or https URL"),
        (["--forward", "http://"], "is not an http or https URL"),
        (["--forward", "http://[x/"], "is not a URL"),
        (["--forward", "http://localhost", "--secret", "mine"], "whsec_ and 24 to 64 bytes"),
        ([], "Missing option '--forward'"),
    ],
)
def test_listen_checks_its_options(server: FakeServer, pushctl: Pushctl, options: list[str], said: str) -> None:
    """What cannot be posted to, or signed with, is refused before the server is asked."""
    result = pushctl("webhooks", "listen", *options)
    assert result.exit_code == ExitCode.MISUSED
    assert said in " ".join(result.stderr.split())
    assert not server.received


LISTEN = ("webhooks", "listen", "--forward", "http://localhost:3000/")
EMPTY = Answer(body={"items": [], "next": "e-7"})


def test_listen_goes_on_when_the_server_is_back(server: FakeServer, pushctl: Pushctl) -> None:
    """It reads from now on, waits while the server cannot answer, and ends with 0 by Ctrl-C."""
    pushctl.interrupt_after = 60
    waiting = Answer(body=EMPTY.body, takes=20)
    server.on("GET /v1/events", EMPTY, Answer(cut=True), Answer(status=503, body={"title": "Busy"}), waiting)
    result = pushctl(*LISTEN, "--type", "command.failed", "--type", "device.online")
    assert result.exit_code == 0
    assert result.stderr.count("; reconnecting") == result.stderr.count("reconnected") == 1
    first, second, *_ = [request.query for request in server.calls("GET /v1/events")]
    types = {"type": ["command.failed", "device.online"]}
    assert first == types | {"after": ["now"], "limit": ["100"], "wait": ["0"]}
    assert second == types | {"after": ["e-7"], "limit": ["100"], "wait": ["30"]}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(status=401, body={"detail": "A valid token is required."}), "refused (401): A valid token"),
        (Answer(body={"items": [{"seq": "1"}], "next": "1"}), "not a page of events"),
        (Answer(body={"items": []}), "not a page of events"),
    ],
)
def test_listen_ends_when_it_cannot_go_on(server: FakeServer, pushctl: Pushctl, answer: Answer, said: str) -> None:
    """A token that was revoked, or another program in place of the server, ends it with an error."""
    server.on("GET /v1/events", EMPTY, answer)
    result = pushctl(*LISTEN)
    assert result.exit_code == ExitCode.REFUSED
    assert said in result.stderr


@pytest.mark.parametrize("command", [("add", "https://example.com"), ("secret", ID)])
@pytest.mark.parametrize("as_json", [True, False])
def test_secret_in_a_file(
    server: FakeServer, pushctl: Pushctl, tmp_path: Path, command: tuple[str, str], as_json: bool
) -> None:
    """With --out the secret goes to a new file, and to nothing else."""
    answer = Answer(status=201, body={"id": ID, "format": "standard", "secret": "whsec_xyz"})
    server.on("POST /v1/webhooks", answer)
    server.on(f"POST /v1/webhooks/{ID}/secret", answer)
    out = tmp_path / "secret"
    result = pushctl("webhooks", *command, "--out", str(out), *["--json"] * as_json)
    assert (result.exit_code, out.read_text()) == (0, "whsec_xyz\n")
    assert "whsec_xyz" not in result.output
    if as_json:
        assert json.loads(result.stdout)["out"] == str(out)
