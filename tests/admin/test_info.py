"""Tests of ``GET /v1/info``."""

from pushd import __version__
from pushd.model.token import Role
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

READER = "controlid:4408801109440198"


def test_server(server: InMemoryServer) -> None:
    """It says which version runs since when, with which schema, dialects, endpoints and options."""
    info = server.ask("GET /v1/info", role=Role.VIEWER).json
    assert info["version"] == __version__
    assert info["schema"] == server.store.schema_version() > 0
    assert isinstance(info["node"], str)
    assert info["clock_offset"] is None
    assert info["started_at"] == "2027-01-15T08:00:00.000Z"
    assert info["dialects"] == ["controlid", "servereye"]
    assert info["listen"] == {"devices": ["tcp:8080"], "admin": ["tcp:8081:interface=127.0.0.1"], "bases": []}
    assert info["options"]["keep"] == 30
    server.clock.advance(5)
    assert server.ask("GET /v1/info").json["started_at"] == info["started_at"]


def test_listeners(build_server: BuildServer) -> None:
    """The endpoints and prefixes are those of the options."""
    server = build_server(bases=(b"/controlid",), devices=("tcp:80", "tcp:8080"))
    listen = server.ask("GET /v1/info").json["listen"]
    assert (listen["devices"], listen["bases"]) == (["tcp:80", "tcp:8080"], ["/controlid"])


def test_counts(build_server: BuildServer) -> None:
    """Devices are counted by state, and so are held polls and commands; each device once."""
    server = build_server(admission="approve")
    server.register(READER)
    server.register("controlid:1")
    server.register("controlid:2", admission="blocked")
    server.put("controlid:1", {"endpoint": "load_objects"})
    server.device_request(request(f"GET /push?deviceId={READER.partition(':')[2]}"))
    server.device_request(request("GET /push?deviceId=77"))
    server.clock.advance(0)
    assert server.ask("GET /v1/info").json["counts"] == {
        "devices": 4,
        "online": 1,
        "offline": 0,
        "signed_off": 0,
        "never_seen": 1,
        "pending": 1,
        "blocked": 1,
        "polls": 2,
        "queued": 1,
        "unknown": 0,
    }


def test_role(server: InMemoryServer) -> None:
    """A token is needed, and that of devices is none."""
    assert server.call(request("GET /v1/info")).answer().code == 401
    assert server.ask("GET /v1/info", role=Role.DEVICE).code == 403
