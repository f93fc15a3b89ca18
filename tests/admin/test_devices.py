"""Tests of :mod:`pushd.admin.devices`: register, get, list."""

from typing import Any

import pytest

from tests.connection import request
from tests.in_memory_server import InMemoryServer

FRESH: dict[str, Any] = {
    "id": "controlid:7",
    "dialect": "controlid",
    "name": "",
    "site": None,
    "tags": [],
    "admission": "approved",
    "presence": "never_seen",
    "muted_until": None,
    "last_seen_at": None,
    "last_address": None,
    "polling": False,
    "poll_gap": None,
    "heartbeat_timeout": 120.0,
    "hold": None,
    "learned_hold": None,
    "allow_from": [],
    "proof": [],
    "queue": 0,
    "in_flight": 0,
    "created_at": "2027-01-15T08:00:00.000Z",
}


def test_register(server: InMemoryServer) -> None:
    """A registered device is approved, has the defaults of its dialect, and a URL."""
    answer = server.ask("POST /v1/devices", {"id": "controlid:7"})
    assert (answer.code, answer.headers["location"]) == (201, "/v1/devices/controlid:7")
    assert answer.json.items() >= FRESH.items()
    assert server.ask("GET /v1/devices/controlid:7").json == answer.json
    assert server.events("controlid:7") == ["device.registered"]


def test_register_with_all_fields(server: InMemoryServer) -> None:
    """A device can be registered with any field that can be changed later."""
    fields = {
        "name": "Front door",
        "site": "Lobby, 2nd floor",
        "tags": ["lobby", "north"],
        "admission": "blocked",
        "heartbeat_timeout": 30.5,
        "hold": 3,
        "muted_until": "2027-02-01T00:00:00.000Z",
        "allow_from": ["192.0.2.0/24", "2001:db8::/32"],
    }
    answer = server.ask("POST /v1/devices", {"id": "servereye:c", **fields})
    assert answer.code == 201
    assert answer.json.items() >= fields.items()
    assert answer.json["proof"] == ["allow_from"]


@pytest.mark.parametrize(
    ("given", "canonical"),
    [("controlid:007", "controlid:7"), ("controlid:-0", "controlid:0"), ("servereye:A.b", "servereye:A.b")],
)
def test_register_in_another_spelling(server: InMemoryServer, given: str, canonical: str) -> None:
    """A device has one id, in whatever way it is written."""
    assert server.ask("POST /v1/devices", {"id": given}).json["id"] == canonical
    assert server.ask(f"GET /v1/devices/{given}").json["id"] == canonical


def test_register_twice(server: InMemoryServer) -> None:
    """A registered device cannot be registered again."""
    server.register("controlid:7", name="old")
    answer = server.ask("POST /v1/devices", {"id": "controlid:07", "name": "new"})
    assert (answer.code, answer.json["type"]) == (409, "device-known")
    assert server.device("controlid:7")["name"] == "old"


@pytest.mark.parametrize(
    "body", [{}, {"id": 7}, {"id": None}, {"id": "7"}, {"id": "x:7"}, {"id": "controlid:x"}, {"id": "\ud800:7"}]
)
def test_register_with_an_invalid_id(server: InMemoryServer, body: object) -> None:
    """An id that is of no dialect is refused."""
    answer = server.ask("POST /v1/devices", body)
    assert answer.code == 422
    assert answer.json["errors"][0]["pointer"] == "#/id"


@pytest.mark.parametrize(
    "call", ["GET {}", "PATCH {}", "DELETE {}", "POST {}/secret", "GET {}/orphans", "POST {}/commands"]
)
def test_unknown_device(server: InMemoryServer, call: str) -> None:
    """Every call for an unknown device is 404."""
    server.register("controlid:7")
    method, _, rest = call.partition(" ")
    for device in ("controlid:8", "servereye:c", "x:7", "7", "%ff"):
        server.ask(f"{method} /v1/devices/{rest.format(device)}", {}).problem(404)


@pytest.mark.parametrize("device", ["controlid:door", "controlid:", "controlid", "servereye:a%2Fb", "servereye:a%20b"])
def test_invalid_id(server: InMemoryServer, device: str) -> None:
    """An id that no device of its dialect can have is a bad request."""
    assert server.ask(f"GET /v1/devices/{device}").code == 400


def test_device_that_polls(server: InMemoryServer) -> None:
    """A device that polls is shown as online, with the time, its address and its commands."""
    server.device_request(request("GET /push?deviceId=7"))
    server.clock.advance(2)
    seen = server.device("controlid:7")
    assert (seen["presence"], seen["polling"], seen["last_address"]) == ("online", True, "192.0.2.1")
    assert seen["last_seen_at"] == "2027-01-15T08:00:02.000Z"
    server.put("controlid:7", {"endpoint": "a"})
    server.put("controlid:7", {"endpoint": "b"})
    seen = server.device("controlid:7")
    assert (seen["in_flight"], seen["queue"], seen["polling"]) == (1, 1, False)


@pytest.fixture
def fleet(server: InMemoryServer) -> InMemoryServer:
    """A server with some devices of each kind."""
    server.register("controlid:1", name="Front door", tags=["lobby", "north"])
    server.register("controlid:2", name="Back door", tags=["north"], site="Yard")
    server.register("controlid:3", admission="pending")
    server.register("servereye:a", tags=["lobby"], site="Lobby & bar", admission="blocked")
    server.register("servereye:b", name="50%_off")
    server.device_request(request("GET /push?deviceId=1"))
    server.device_request(request("GET /push/b/signoff"))
    return server


def listed(server: InMemoryServer, query: str) -> list[str]:
    """The local ids in a list."""
    answer = server.ask(f"GET /v1/devices{query}")
    assert answer.code == 200, answer.body
    return [item["id"].partition(":")[2] for item in answer.json["items"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "123ab"),
        ("?dialect=servereye", "ab"),
        ("?presence=online", "1"),
        ("?presence=signed_off", "b"),
        ("?presence=never_seen", "23a"),
        ("?admission=pending", "3"),
        ("?admission=blocked", "a"),
        ("?tag=north", "12"),
        ("?tag=lobby", "1a"),
        ("?tag=lobby&tag=north", "1"),
        ("?tag=lob", ""),
        ("?site=Yard", "2"),
        ("?site=Yard&site=Lobby%20%26%20bar&site=else", "2a"),
        ("?site=yard", ""),
        ("?site=Yard&tag=lobby", ""),
        ("?site=", ""),
        ("?q=door", "12"),
        ("?q=FRONT", "1"),
        ("?q=controlid:2", "2"),
        ("?q=50%25_", "b"),
        ("?q=%25", "b"),
        ("?q=%00%ff", ""),
        ("?tag=north&q=back&dialect=controlid&admission=approved", "2"),
    ],
)
def test_filters(fleet: InMemoryServer, query: str, found: str) -> None:
    """A list can be filtered by dialect, presence, admission, sites, tags, and a part of the id or name."""
    assert "".join(listed(fleet, query)) == found


def test_items_of_the_list(fleet: InMemoryServer) -> None:
    """A list shows each device as it is shown alone."""
    items = fleet.ask("GET /v1/devices").json["items"]
    assert items == [fleet.device(item["id"]) for item in items]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 500])
def test_paging(fleet: InMemoryServer, limit: int) -> None:
    """All pages together are the whole list, in order, with each device once."""
    found: list[str] = []
    query = f"?limit={limit}"
    for _ in range(6):
        page: dict[str, Any] = fleet.ask(f"GET /v1/devices{query}").json
        found += [item["id"] for item in page["items"]]
        assert len(page["items"]) <= limit
        if page["next"] is None:
            break
        query = f"?limit={limit}&cursor={page['next']}"
    assert found == ["controlid:1", "controlid:2", "controlid:3", "servereye:a", "servereye:b"]


def test_default_limit(server: InMemoryServer) -> None:
    """A list has up to 50 entries unless ``limit`` says otherwise."""
    for number in range(51):
        server.register(f"controlid:{number}")
    assert len(listed(server, "")) == 50
    assert len(listed(server, "?limit=51")) == 51
