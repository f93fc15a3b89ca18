"""Tests of :mod:`pushd.dialects.controlid.app`: methods, bases and secret paths."""

import pytest

from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

DEVICE = "controlid:4408801109440198"


@pytest.mark.parametrize(
    "line", ["POST /push", "PUT /push", "HEAD /push", "GET /result", "HEAD /result", "OPTIONS /push"]
)
def test_wrong_method(server: InMemoryServer, line: str) -> None:
    """Another method is a 405 that names the right one; a HEAD takes no command."""
    server.register(DEVICE)
    command = server.put(DEVICE, {"endpoint": "load_objects"})
    answer = server.device_request(request(f"{line}?deviceId=4408801109440198")).answer()
    assert (answer.code, answer.body) == (405, b"")
    assert answer.headers["allow"] == ("GET" if "push" in line else "POST")
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


@pytest.mark.parametrize("path", ["/api/d/{}/push", "/d/{}/d/{}/push", "/d/{}", "/d/{}/", "/D/{}/push"])
def test_secret_in_another_place(build_server: BuildServer, path: str) -> None:
    """A secret counts only at the beginning of a path."""
    server = build_server(bases=BASES)
    server.register(DEVICE)
    secret = server.ask(f"POST /v1/devices/{DEVICE}/secret").json["secret"]
    answer = server.device_request(request(f"GET {path.format(secret, secret)}?deviceId=4408801109440198")).answer()
    assert (answer.code, answer.body) == (404, b"")
