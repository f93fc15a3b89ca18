"""Tests of ``pushctl devices`` and ``pushctl approve``."""

import json

from tests.pushctl.fake_server import DEVICE, TOKEN, Answer, FakeServer, Pushctl


def _list(server: FakeServer, *devices: dict[str, object]) -> None:
    server.on("GET /v1/devices", Answer(body={"items": list(devices), "next": None}))


def test_table_has_the_state_of_each_device(server: FakeServer, pushctl: Pushctl) -> None:
    """The table has one line per device: its admission, presence, polling, queue and authentication."""
    _list(server, DEVICE)
    result = pushctl("devices")
    assert result.exit_code == 0
    row = result.stdout.splitlines()[1]
    for cell in (
        "controlid:4408801109440198",
        "Front door",
        "Lobby",
        "iDFlex",
        "0M020?/0376C6",
        "approved",
        "online",
        "yes",
        "0.25 s",
        "40 s",
        "secret",
    ):
        assert cell in row
    assert result.stderr == ""


def test_unauthenticated_device_is_marked(server: FakeServer, pushctl: Pushctl) -> None:
    """A device that is known by its id alone is marked, and the risk is explained."""
    _list(server, {**DEVICE, "proof": []})
    result = pushctl("devices")
    assert "unauthenticated" in result.stdout.splitlines()[1]
    assert result.stderr.startswith(f"{DEVICE['id']}: unauthenticated: anyone who can reach the device port")


def test_all_pages_are_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """All pages of the list are read."""
    server.on(
        "GET /v1/devices",
        Answer(body={"items": [DEVICE], "next": "page two"}),
        Answer(body={"items": [{**DEVICE, "id": "servereye:abc"}], "next": None}),
    )
    found = json.loads(pushctl("devices", "--json").stdout)
    assert [device["id"] for device in found] == ["controlid:4408801109440198", "servereye:abc"]
    assert server.calls("GET /v1/devices")[1].query == {"cursor": ["page two"], "limit": ["500"]}


def test_filters_reach_the_server(server: FakeServer, pushctl: Pushctl) -> None:
    """The filters are sent to the server; a tag or a site may be given more than once."""
    _list(server)
    options = (
        "--dialect servereye --presence online --admission pending --q door --tag a --tag b --site Yard --site Lobby"
        " --model iDFlex --sort name"
    )
    assert pushctl("devices", *options.split()).exit_code == 0
    (request,) = server.calls("GET /v1/devices")
    assert request.query == {
        "dialect": ["servereye"],
        "presence": ["online"],
        "admission": ["pending"],
        "q": ["door"],
        "tag": ["a", "b"],
        "site": ["Yard", "Lobby"],
        "model": ["iDFlex"],
        "sort": ["name"],
        "limit": ["500"],
    }


def test_names_cannot_move_the_cursor(server: FakeServer, pushctl: Pushctl) -> None:
    """Escape sequences in a name are shown, not sent to the terminal."""
    _list(server, {**DEVICE, "name": "\x1b[2Jgone\n"})
    result = pushctl("devices")
    assert "\\x1b[2Jgone\\n" in result.stdout
    assert "\x1b" not in result.stdout


def test_token_is_sent_and_never_shown(server: FakeServer, pushctl: Pushctl) -> None:
    """The token is in the request, and not in the output."""
    server.on("GET /v1/devices", Answer(status=401, body={"title": "Unauthorized", "detail": "Who are you?"}))
    result = pushctl("devices")
    assert server.calls("GET /v1/devices")[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (401): Who are you? (token: --token)\n")


def test_approve(server: FakeServer, pushctl: Pushctl) -> None:
    """Each device is approved."""
    for device in ("controlid:1", "servereye:abc"):
        server.on(f"GET /v1/devices/{device}", Answer(body={**DEVICE, "id": device, "admission": "pending"}))
        server.on(f"PATCH /v1/devices/{device}", Answer(body={**DEVICE, "id": device}))
    result = pushctl("approve", "controlid:1", "servereye:abc")
    assert (result.exit_code, result.stdout) == (0, "controlid:1 approved\nservereye:abc approved\n")
    assert server.calls("PATCH /v1/devices/controlid:1")[0].body == {"admission": "approved"}


def test_approve_goes_on_after_an_unknown_device(server: FakeServer, pushctl: Pushctl) -> None:
    """An id that the server does not know makes the exit code 1; the other devices are approved nevertheless."""
    server.on("GET /v1/devices/controlid:1", Answer(status=404, body={"title": "Not Found", "detail": "No such."}))
    server.on("GET /v1/devices/controlid:2", Answer(body={**DEVICE, "id": "controlid:2"}))
    server.on("PATCH /v1/devices/controlid:2", Answer(body={**DEVICE, "id": "controlid:2"}))
    result = pushctl("approve", "controlid:1", "controlid:2", "--json")
    assert result.exit_code == 1
    assert result.stderr == "pushctl: controlid:1: refused (404): No such.\n"
    assert json.loads(result.stdout)["id"] == "controlid:2"


def test_approve_a_blocked_device(server: FakeServer, pushctl: Pushctl) -> None:
    """A device that an operator blocked is approved only with an option, which the message names."""
    for device in ("controlid:1", "controlid:2"):
        server.on(f"PATCH /v1/devices/{device}", Answer(body={**DEVICE, "id": device}))
    server.on("GET /v1/devices/controlid:1", Answer(body={**DEVICE, "admission": "blocked"}))
    server.on("GET /v1/devices/controlid:2", Answer(body={**DEVICE, "admission": "pending"}))
    result = pushctl("approve", "controlid:1", "controlid:2")
    assert (result.exit_code, result.stdout) == (1, "controlid:2 approved\n")
    assert result.stderr == "pushctl: controlid:1: it is blocked; --unblock approves it nevertheless\n"
    assert server.calls("PATCH /v1/devices/controlid:1") == []
    assert pushctl("approve", "controlid:1", "--unblock").stdout == "controlid:1 approved\n"


def test_approve_with_a_model(server: FakeServer, pushctl: Pushctl) -> None:
    """The model, which devices do not say, can be given with the approval."""
    server.on("GET /v1/devices/controlid:1", Answer(body={**DEVICE, "admission": "pending"}))
    server.on("PATCH /v1/devices/controlid:1", Answer(body=DEVICE))
    assert pushctl("approve", "controlid:1", "--model", "iDFlex").exit_code == 0
    (request,) = server.calls("PATCH /v1/devices/controlid:1")
    assert request.body == {"admission": "approved", "facts": {"model": "iDFlex"}}


def test_approve_without_a_model(server: FakeServer, pushctl: Pushctl) -> None:
    """If no model of a reader is known, its approval says how to set it; other devices need none."""
    facts: dict[str, dict[str, str]] = {
        "controlid:1": {"serial": "00000?/000001"},
        "controlid:2": {"model": "iDFace"},
        "controlid:3": {"opens_with": "door"},
        "servereye:a": {},
    }
    for device, known in facts.items():
        server.on(f"GET /v1/devices/{device}", Answer(body={**DEVICE, "id": device}))
        server.on(f"PATCH /v1/devices/{device}", Answer(body={**DEVICE, "id": device, "facts": known}))
    result = pushctl("approve", *facts)
    assert result.stdout.count(" approved\n") == 4
    assert result.stderr.rstrip().endswith("pushctl devices set controlid:1 --model iDFlex")


def test_orphans(server: FakeServer, pushctl: Pushctl) -> None:
    """Orphan results are listed; their bytes are in the JSON."""
    orphan = {"id": 3, "at": "2026-01-02T03:04:05.000Z", "reason": "it matches no command", "reference": None}
    orphan |= {"size": 12, "raw": "e30="}
    server.on("GET /v1/devices/controlid:1/orphans", Answer(body={"items": [orphan], "next": None}))
    row = pushctl("devices", "orphans", "controlid:1").stdout.splitlines()[1]
    assert "it matches no command" in row
    assert json.loads(pushctl("devices", "orphans", "controlid:1", "--json").stdout) == [orphan]
    server.on("GET /v1/devices/controlid:1/orphans", Answer(body={"items": [], "next": None}))
    assert pushctl("devices", "orphans", "controlid:1").stderr == "No orphan results.\n"
