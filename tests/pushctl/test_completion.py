"""Tests of the candidates that completion offers."""

from collections.abc import Callable

import pytest
from click.shell_completion import ShellComplete

from pushd.pushctl.completion import COMPLETION_TIMEOUT
from pushd.pushctl.main import cli
from tests.pushctl.fake_server import COMMAND, DEVICE, TOKEN, Answer, FakeServer, Pushctl

Complete = Callable[..., list[tuple[str, str | None]]]


@pytest.fixture
def complete(pushctl: Pushctl) -> Complete:
    """Completes the last of some words; gives each candidate with what is shown beside it."""

    def complete(*words: str) -> list[tuple[str, str | None]]:
        shell = ShellComplete(cli, {"obj": pushctl.run}, "pushctl", "_PUSHCTL_COMPLETE")
        *before, incomplete = words
        items = shell.get_completions(["--token", TOKEN, *before], incomplete)
        return [(item.value, item.help) for item in items]

    return complete


def test_devices(server: FakeServer, complete: Complete) -> None:
    """Ids of devices are completed, with their names; the server is asked only for those that match."""
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE, {**DEVICE, "id": "servereye:44"}], "next": None}))
    assert complete("approve", "controlid:44") == [("controlid:4408801109440198", "Front door; Lobby; online")]
    (request,) = server.calls("GET /v1/devices")
    assert request.query == {"q": ["controlid:44"], "limit": ["100"]}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_second_argument(server: FakeServer, complete: Complete) -> None:
    """Where several ids are allowed, each of them is completed."""
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE], "next": None}))
    assert [value for value, _ in complete("approve", "controlid:1", "c")] == [DEVICE["id"]]


def test_commands(server: FakeServer, complete: Complete) -> None:
    """Ids of commands are completed, with their states and devices."""
    server.on("GET /v1/commands", Answer(body={"items": [COMMAND], "next": None}))
    assert complete("cancel", "") == [(COMMAND["id"], "queued; controlid:4408801109440198")]


def test_tokens(server: FakeServer, complete: Complete) -> None:
    """Tokens are completed by their names, by which people know them."""
    items = [{"id": "019bb9d1", "name": "lobby", "role": "operator"}, {"id": "019bb9d2", "name": "admin"}]
    server.on("GET /v1/tokens", Answer(body={"items": items, "next": None}))
    assert complete("tokens", "rotate", "lo") == [("lobby", "operator")]


def test_command_or_device(server: FakeServer, complete: Complete) -> None:
    """Where a command or a device may be named, both are completed."""
    server.on("GET /v1/commands", Answer(body={"items": [COMMAND], "next": None}))
    server.on("GET /v1/devices", Answer(body={"items": [DEVICE], "next": None}))
    assert [value for value, _ in complete("show", "")] == [COMMAND["id"], DEVICE["id"]]


def test_endpoints_of_the_device(server: FakeServer, complete: Complete) -> None:
    """After a device, the endpoints of its dialect are completed, with what they do."""
    item = {"name": "load_objects", "class": "read", "summary": "Reads objects."}
    server.on("GET /v1/catalogue/controlid", Answer(body={"items": [item, {"name": "reboot"}]}))
    assert complete("send", "controlid:1", "lo") == [("load_objects", "read; Reads objects.")]
    assert [name for name, _ in server.received] == ["GET /v1/catalogue/controlid"]


def test_sites(server: FakeServer, complete: Complete) -> None:
    """Sites are completed; devices without one are no candidate."""
    server.on("GET /v1/sites", Answer(body={"items": [{"site": "Main Office"}, {"site": None}]}))
    assert complete("devices", "--site", "M") == [("Main Office", None)]


def test_states(complete: Complete) -> None:
    """States are completed without asking the server."""
    assert [value for value, _ in complete("devices", "--presence", "o")] == ["online", "offline"]
    assert [value for value, _ in complete("devices", "--dialect", "c")] == ["controlid"]


def test_escape_sequences_are_not_shown(server: FakeServer, complete: Complete) -> None:
    """What a device is called cannot move the cursor of the shell."""
    server.on("GET /v1/devices", Answer(body={"items": [{**DEVICE, "name": "\x1b[2Ja\nb"}], "next": None}))
    assert complete("approve", "c")[0][1] == "\\x1b[2Ja\\nb; Lobby; online"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=401, body={"detail": "no"}),
        Answer(cut=True),
        Answer(body=b"not JSON"),
        Answer(body={"items": [DEVICE], "next": None}, takes=COMPLETION_TIMEOUT + 1),
    ],
)
def test_failure_offers_nothing(
    server: FakeServer, complete: Complete, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that refuses, is away, is another program or is slow: nothing is offered, and nothing printed."""
    server.on("GET /v1/devices", answer)
    assert complete("approve", "c") == []
    assert capsys.readouterr() == ("", "")


def test_wrong_options_offer_nothing(pushctl: Pushctl, capsys: pytest.CaptureFixture[str]) -> None:
    """Options that contradict each other end a completion silently."""
    shell = ShellComplete(cli, {"obj": pushctl.run}, "pushctl", "_PUSHCTL_COMPLETE")
    assert shell.get_completions(["--token", "a", "--profile", "b", "approve"], "c") == []
    assert capsys.readouterr() == ("", "")


def test_webhooks(server: FakeServer, complete: Complete) -> None:
    """Ids of webhooks are completed, with what the list shows of their URLs, and the types of events that they get."""
    webhook = {"id": "019bb9d1", "url": "https://hooks.slack.com/***Xy9z"}
    server.on("GET /v1/webhooks", Answer(body={"items": [webhook], "next": None}))
    assert complete("webhooks", "test", "") == [("019bb9d1", "https://hooks.slack.com/***Xy9z")]
    assert "alert.raised" in [value for value, _ in complete("webhooks", "add", "--type", "alert.")]
