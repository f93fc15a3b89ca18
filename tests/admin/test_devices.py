"""Tests of :mod:`pushd.admin.devices`: register, get, list."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from tests.connection import request
from tests.in_memory_server import InMemoryServer
from tests.results import result_of

FRESH: dict[str, Any] = {
    "id": "controlid:7",
    "dialect": "controlid",
    "name": "",
    "site": None,
    "tags": [],
    "facts": {"serial": "00000?/000007"},
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
        "facts": {"model": "Container", "serial": "7", "rack": 12, "opens_with": "door"},
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


@pytest.mark.parametrize("serial", ["0G0200/005B6D", "0g020Z/005b6d", "0G020?/005B6D"])
def test_register_by_serial_number(server: InMemoryServer, serial: str) -> None:
    """The serial number on the label stands for the deviceId; the revision of the hardware does not count."""
    answer = server.ask("POST /v1/devices", {"id": f"controlid:{serial}", "facts": {"model": "iDFlex"}})
    assert (answer.code, answer.headers["location"]) == (201, "/v1/devices/controlid:3206485144263533")
    assert answer.json["id"] == "controlid:3206485144263533"
    assert answer.json["facts"] == {"serial": "0G020?/005B6D", "model": "iDFlex"}
    again = server.ask("POST /v1/devices", {"id": "controlid:0G020A/005B6D"})
    assert (again.code, again.json["type"]) == (409, "device-known")


@pytest.mark.parametrize(
    "device",
    ["controlid:0G02/005B6D", "controlid:0G0200/05B6D", "controlid:0G020-005B6D", "controlid:0G0200/005B6G"],
)
def test_register_by_a_wrong_serial_number(server: InMemoryServer, device: str) -> None:
    """What has not the form of a serial number is refused, with that form."""
    (error,) = server.ask("POST /v1/devices", {"id": device}).problem(422)["errors"]
    assert error["pointer"] == "#/id"
    assert "six hexadecimal digits, such as 0G0200/005B6D" in error["detail"]


def test_paths_take_no_serial_number(server: InMemoryServer) -> None:
    """A path has the decimal id: a serial number is no id."""
    server.register("controlid:0G0200/005B6D")
    assert server.ask("GET /v1/devices/controlid:0G0200%2F005B6D").code == 400


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
    server.register("controlid:2", name="Back door", tags=["north"], site="Yard", facts={"model": "iDBox"})
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
        ("?q=00000?/000001", "1"),
        ("?q=00000z/000001", "1"),
        ("?q=controlid:000000/000001", "1"),
        ("?model=", "13ab"),
        ("?q=LOBBY%20%26", "a"),
        ("?model=id%20box", "2"),
        ("?sort=name", "3ab21"),
        ("?sort=name&tag=north", "21"),
        ("?sort=id", "123ab"),
        ("?tag=north&q=back&dialect=controlid&admission=approved", "2"),
    ],
)
def test_filters(fleet: InMemoryServer, query: str, found: str) -> None:
    """A list can be filtered by many fields, and by a part of what people know a device by."""
    assert "".join(listed(fleet, query)) == found


def test_search_by_address(fleet: InMemoryServer) -> None:
    """A device is found by the address from which it was last seen, once that is saved."""
    result_of(Deferred.fromCoroutine(fleet.core.presence.flush()))
    assert listed(fleet, "?q=192.0.2.1") == ["1", "b"]


def test_items_of_the_list(fleet: InMemoryServer) -> None:
    """A list shows each device as it is shown alone."""
    items = fleet.ask("GET /v1/devices").json["items"]
    assert items == [fleet.device(item["id"]) for item in items]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 500])
@pytest.mark.parametrize(("order", "expected"), [("id", "123ab"), ("name", "3ab21")])
def test_paging(fleet: InMemoryServer, limit: int, order: str, expected: str) -> None:
    """All pages together are the whole list, in order, with each device once."""
    found: list[str] = []
    query = f"?sort={order}&limit={limit}"
    for _ in range(6):
        page: dict[str, Any] = fleet.ask(f"GET /v1/devices{query}").json
        found += [item["id"] for item in page["items"]]
        assert len(page["items"]) <= limit
        if page["next"] is None:
            break
        query = f"?sort={order}&limit={limit}&cursor={page['next']}"
    assert "".join(name[-1] for name in found) == expected


def test_sites(fleet: InMemoryServer) -> None:
    """All sites are listed, with the number of their devices and of open alerts."""
    fleet.ask("PATCH /v1/devices/controlid:1", {"site": "Yard"})
    summary = {"devices": 1, "online": 0, "offline": 0, "open_alerts": 0}
    assert fleet.ask("GET /v1/sites").json == {
        "items": [
            {"site": "Lobby & bar", **summary},
            {"site": "Yard", **summary, "devices": 2, "online": 1},
        ]
    }
    fleet.tick(3600)
    yard = fleet.ask("GET /v1/sites").json["items"][1]
    assert yard == {"site": "Yard", "devices": 2, "online": 0, "offline": 1, "open_alerts": 1}


def test_default_limit(server: InMemoryServer) -> None:
    """A list has up to 50 entries unless ``limit`` says otherwise."""
    for number in range(51):
        server.register(f"controlid:{number}")
    assert len(listed(server, "")) == 50
    assert len(listed(server, "?limit=51")) == 51
