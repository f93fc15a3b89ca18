"""Tests of :mod:`pushd.dialects.controlid.app`: methods, bases and secret paths."""

import pytest

from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

DEVICE = "controlid:4408801109440198"


@pytest.mark.parametrize(
    "line", ["DELETE /push", "PUT /push", "HEAD /push", "GET /result", "HEAD /result", "OPTIONS /push"]
)
def test_wrong_method(server: InMemoryServer, line: str) -> None:
    """Another method is a 405 that names the right one; a HEAD takes no command."""
    server.register(DEVICE)
    command = server.put(DEVICE, {"endpoint": "load_objects"})
    answer = server.device_request(request(f"{line}?deviceId=4408801109440198")).answer()
    assert (answer.code, answer.body) == (405, b"")
    assert answer.headers["allow"] == ("GET, POST" if "push" in line else "POST")
    assert server.command(command)["state"] == "queued"


BASES = (b"/api", b"/controlid", b"/controlid/push")


@pytest.mark.parametrize(
    "path",
    [
        "/push",
        "//push",
        "/api/push",
        "/api//push",
        "/controlid/push",
        "/controlid/push/push",
        "///controlid//push///push",
    ],
)
def test_bases(build_server: BuildServer, path: str) -> None:
    """A device is served below each configured base, with any number of slashes."""
    server = build_server(bases=BASES)
    server.register(DEVICE)
    command = server.put(DEVICE, {"endpoint": "load_objects"})
    assert server.device_request(request(f"GET {path}?deviceId=4408801109440198&uuid=a")).answer().body
    result = path.removesuffix("push") + "result"
    answer = server.device_request(
        request(f"POST {result}?deviceId=4408801109440198&uuid=a", b'{"response":""}')
    ).answer()
    assert (answer.code, answer.body) == (200, b"")
    assert server.command(command)["state"] == "succeeded"


def test_base_that_is_not_configured(server: InMemoryServer) -> None:
    """A path below a base that is not configured is a 404."""
    answer = server.device_request(request("GET /controlid/push?deviceId=4408801109440198")).answer()
    assert (answer.code, answer.body) == (404, b"")


@pytest.mark.parametrize("before", ["/d/{}", "//d//{}/", "/d/{}/api", "/d/{}/controlid/push"])
def test_base_below_a_secret(build_server: BuildServer, before: str) -> None:
    """A device is served below its secret path, with or without a base after it."""
    server = build_server(bases=BASES)
    server.register(DEVICE)
    secret = server.ask(f"POST /v1/devices/{DEVICE}/secret").json["secret"]
    command = server.put(DEVICE, {"endpoint": "load_objects"})
    base = before.format(secret)
    assert server.device_request(request(f"GET {base}/push?deviceId=4408801109440198&uuid=a")).answer().body
    server.device_request(request(f"POST {base}/result?deviceId=4408801109440198&uuid=a", b'{"response":""}'))
    assert server.command(command)["state"] == "succeeded"


DOUBLED = ["", "/api", "/controlid", "/controlid/push", "//", "/d/{}", "/d/{}/api", "/d/{}/controlid//push"]
"""What is in front of the ``/push`` with which the address of a reader wrongly ends."""


@pytest.mark.parametrize("spelling", ["deviceId", "device_id", "deviceid"])
@pytest.mark.parametrize("before", DOUBLED)
@pytest.mark.parametrize("bases", [BASES, (*BASES, b"/push")], ids=["bases", "with /push"])
def test_address_that_ends_in_push(
    build_server: BuildServer, bases: tuple[bytes, ...], before: str, spelling: str
) -> None:
    """A reader whose address ends in /push is served as if it did not, and no container appears."""
    server = build_server(bases=bases)
    server.register(DEVICE)
    base = before.format(server.ask(f"POST /v1/devices/{DEVICE}/secret").json["secret"]) if "{}" in before else before
    command = server.put(DEVICE, {"endpoint": "load_objects"})
    query = f"uuid=a&{spelling}=4408801109440198"
    assert server.device_request(request(f"GET {base}/push/push?{query}")).answer().body
    large = b'{"response":"%b"}' % (b"x" * 100_000)
    answer = server.device_request(request(f"POST {base}/push/result?{query}", large)).answer()
    assert (answer.code, answer.body) == (200, b"")
    assert server.command(command)["state"] == "succeeded"
    assert [device["id"] for device in server.ask("GET /v1/devices").json["items"]] == [DEVICE]


@pytest.mark.parametrize(
    "path", ["/push/push", "/push/result", "/1/push/push?apiKey=deviceId=7", "/push/push?xdeviceId=7"]
)
def test_push_is_no_container(build_server: BuildServer, path: str) -> None:
    """Without a deviceId such a path is that of a container, but none can be called push or result."""
    server = build_server(bases=(b"/push",))
    answer = server.device_request(request(f"GET {path}")).answer()
    assert (answer.code, answer.json["success"]) == (400, False)
    assert server.ask("GET /v1/devices").json["items"] == []
    assert server.ask("POST /v1/devices", {"id": "servereye:push"}).code == 422


@pytest.mark.parametrize("path", ["/api/d/{}/push", "/d/{}/d/{}/push", "/d/{}", "/d/{}/", "/D/{}/push"])
def test_secret_in_another_place(build_server: BuildServer, path: str) -> None:
    """A secret counts only at the beginning of a path."""
    server = build_server(bases=BASES)
    server.register(DEVICE)
    secret = server.ask(f"POST /v1/devices/{DEVICE}/secret").json["secret"]
    answer = server.device_request(request(f"GET {path.format(secret, secret)}?deviceId=4408801109440198")).answer()
    assert (answer.code, answer.body) == (404, b"")
