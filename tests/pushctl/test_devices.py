"""Tests of ``pushctl devices`` and ``pushctl approve``."""

import json

from tests.pushctl.recorded import DEVICE, TOKEN, Answer, Desk, RecordedServer


def _list(server: RecordedServer, *devices: dict[str, object]) -> None:
    server.on("GET /v1/devices", Answer(body={"items": list(devices), "next": None}))


def test_table_tells_how_a_device_does(server: RecordedServer, desk: Desk) -> None:
    """The table has a line per device with all that tells how it does."""
    _list(server, DEVICE)
    result = desk.pushctl("devices")
    assert result.exit_code == 0
    row = result.stdout.splitlines()[1]
    for cell in ("controlid:4408801109440198", "Front door", "approved", "online", "yes", "0.25 s", "40 s", "secret"):
        assert cell in row
    assert result.stderr == ""


def test_device_without_proof_is_marked(server: RecordedServer, desk: Desk) -> None:
    """A device that anyone could be is marked, and the reason is given."""
    _list(server, {**DEVICE, "proof": []})
    result = desk.pushctl("devices")
    assert "no proof" in result.stdout.splitlines()[1]
    assert "whoever reaches the device port can be this device" in result.stderr


def test_all_pages_are_shown(server: RecordedServer, desk: Desk) -> None:
    """A fleet that does not fit on one page is listed whole."""
    server.on(
        "GET /v1/devices",
        Answer(body={"items": [DEVICE], "next": "page two"}),
        Answer(body={"items": [{**DEVICE, "id": "servereye:abc"}], "next": None}),
    )
    found = json.loads(desk.pushctl("devices", "--json").stdout)
    assert [device["id"] for device in found] == ["controlid:4408801109440198", "servereye:abc"]
    assert server.calls("GET /v1/devices")[1].query == {"cursor": ["page two"], "limit": ["500"]}


def test_filters_reach_the_server(server: RecordedServer, desk: Desk) -> None:
    """Each filter is the server's to apply; a tag may be given more than once."""
    _list(server)
    words = "--dialect servereye --presence online --admission pending --q door --tag a --tag b"
    assert desk.pushctl("devices", *words.split()).exit_code == 0
    (asked,) = server.calls("GET /v1/devices")
    assert asked.query == {
        "dialect": ["servereye"],
        "presence": ["online"],
        "admission": ["pending"],
        "q": ["door"],
        "tag": ["a", "b"],
        "limit": ["500"],
    }


def test_names_cannot_move_the_cursor(server: RecordedServer, desk: Desk) -> None:
    """A name with escape sequences is shown, not obeyed."""
    _list(server, {**DEVICE, "name": "\x1b[2Jgone\n"})
    result = desk.pushctl("devices")
    assert "\\x1b[2Jgone\\n" in result.stdout
    assert "\x1b" not in result.stdout


def test_token_goes_to_the_server_and_nowhere_else(server: RecordedServer, desk: Desk) -> None:
    """The token lets the operator in, and never shows on the screen."""
    server.on("GET /v1/devices", Answer(status=401, body={"title": "Unauthorized", "detail": "Who are you?"}))
    result = desk.pushctl("devices")
    assert server.calls("GET /v1/devices")[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert (result.exit_code, result.stderr) == (1, "pushctl: refused (401): Who are you?\n")


def test_approve_lets_a_device_in(server: RecordedServer, desk: Desk) -> None:
    """Approving changes the admission of each device that is named."""
    for device in ("controlid:1", "servereye:abc"):
        server.on(f"PATCH /v1/devices/{device}", Answer(body={**DEVICE, "id": device}))
    result = desk.pushctl("approve", "controlid:1", "servereye:abc")
    assert (result.exit_code, result.stdout) == (0, "controlid:1 approved\nservereye:abc approved\n")
    assert server.calls("PATCH /v1/devices/controlid:1")[0].body == {"admission": "approved"}


def test_approve_goes_on_after_an_unknown_device(server: RecordedServer, desk: Desk) -> None:
    """One id that the server does not know does not keep the others waiting, but shows in the exit code."""
    server.on("PATCH /v1/devices/controlid:1", Answer(status=404, body={"title": "Not Found", "detail": "No such."}))
    server.on("PATCH /v1/devices/controlid:2", Answer(body={**DEVICE, "id": "controlid:2"}))
    result = desk.pushctl("approve", "controlid:1", "controlid:2", "--json")
    assert result.exit_code == 1
    assert result.stderr == "pushctl: controlid:1: refused (404): No such.\n"
    assert json.loads(result.stdout)["id"] == "controlid:2"
