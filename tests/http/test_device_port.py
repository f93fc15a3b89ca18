"""Tests of :mod:`pushd.http.device_port`: which app a path leads to, with and without a secret."""

import re

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from pushd.core.clocks import Clocks
from pushd.core.devices.rejections import Rejections
from pushd.http.bodies import SMALL, BodyGrant, Sender
from pushd.http.device_port import DevicePort, MountedApp
from pushd.http.request import Request
from pushd.http.router import Router, unquoted
from pushd.http.site import Channel
from tests.connection import request
from tests.in_memory_server import BuildServer, InMemoryServer

GRANT = BodyGrant(Sender.PROVEN_DEVICE, SMALL + 1)
PREFIXES = (b"", b"/controlid", b"/controlid/push", b"/1")
PATHS = (b"/push", b"/result", b"/push/c/ack/m")


class App:
    """An app with a route for each of the paths."""

    router = Router()

    @router.route("/push", methods=["GET"])
    async def push(self, _request: Request) -> bytes:
        """Respond."""
        return b""

    @router.route("/result", methods=["GET"])
    async def result(self, _request: Request) -> bytes:
        """Respond."""
        return b""

    @router.route("/push/<container>/ack/<message>", methods=["GET"])
    async def acknowledge(self, _request: Request, container: str, message: str) -> bytes:
        """Respond."""
        return f"{container} {message}".encode()


def get(uri: bytes) -> Request:
    """A request for this target."""
    made = Request(Channel())
    made.method = b"GET"
    made.path, _, made.query = uri.partition(b"?")
    return made


@define(eq=False)
class RecordingPort:
    """A port with one app, which records for which paths and queries it was asked what it grants."""

    asked: list[tuple[bytes, bytes]] = field(factory=list)

    def port(self) -> DevicePort:
        """The port."""
        pattern = re.compile(b"|".join(PATHS))
        mounted = MountedApp(prefixes=PREFIXES, pattern=pattern, app=App(), grant_body=self._grant)
        rejections = Rejections(Clocks(Clock(), lambda: 0.0))
        return DevicePort([mounted], lambda secret: secret, lambda: True, Clock(), 5.0, rejections)

    def _grant(self, request: Request, below: bytes) -> BodyGrant:
        self.asked.append((below, request.query))
        return GRANT


SEGMENT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#"), min_size=1)


@st.composite
def spelled(draw: st.DrawFn, path: bytes) -> bytes:
    """A path in which any slash may be repeated."""
    return b"".join(b"/" * draw(st.integers(1, 3)) if char == 47 else bytes([char]) for char in path)


@given(st.data(), st.sampled_from(PREFIXES), st.sampled_from(PATHS), st.none() | SEGMENT)
def test_path_finds_its_app(data: st.DataObject, prefix: bytes, path: bytes, secret: str | None) -> None:
    """A path leads to its app below any prefix, below any secret, and however often its slashes are repeated."""
    recording = RecordingPort()
    before = b"" if secret is None else b"/d/" + secret.encode()
    uri = data.draw(spelled(before + prefix + path))
    assert recording.port().grant_body(get(uri + b"?a=//b")) == GRANT
    assert recording.asked == [(path, b"a=//b")]


@given(st.lists(SEGMENT, max_size=6))
def test_other_paths_find_none(segments: list[str]) -> None:
    """Any other path leads to no app, and nothing of its body is kept."""
    recording = RecordingPort()
    path = "/" + "/".join(segments)
    known = re.fullmatch(r"(/d/[^/]+)?(/controlid|/controlid/push|/1)?(/push|/result|/push/c/ack/m)", path)
    assert (recording.port().grant_body(get(path.encode())) == GRANT) == (known is not None)


@given(st.lists(SEGMENT.map(lambda text: text.replace("%", ""))))
def test_unquoted(segments: list[str]) -> None:
    """A path without percent-encoding is its own text."""
    path = "/".join(segments)
    assert unquoted(path.encode()) == path


@given(st.binary())
def test_anything_unquoted(path: bytes) -> None:
    """Decoding a path never changes the number of its segments."""
    assert unquoted(path).count("/") == path.count(b"/")


def test_quoted_slash_separates_nothing(server: InMemoryServer) -> None:
    """A percent-encoded slash is part of a name: it does not lead to another route."""
    server.register("servereye:c")
    answer = server.device_request(request("GET /push/c%2Fsignoff")).answer()
    assert answer.code == 400
    assert server.device("servereye:c")["presence"] == "never_seen"


def test_quoted_letters(server: InMemoryServer) -> None:
    """A client may percent-encode characters that need not be."""
    assert server.device_request(request("GET /push/%63%7E1/signoff")).answer().code == 200
    server.register("servereye:c~1")
    server.device_request(request("GET /push/%63%7E1"))
    assert server.device("servereye:c~1")["polling"] is True


@pytest.mark.parametrize("path", "/ // /pus /pushx /result/ /d /d/x /api /v1/devices".split())
def test_unknown_path(server: InMemoryServer, path: str) -> None:
    """An unknown path that no client of a dialect sends is an empty 404."""
    answer = server.device_request(request(f"GET {path}")).answer()
    assert (answer.code, answer.body) == (404, b"")


UNKNOWN_SECRET = {
    "/push?deviceId=7": False,
    "/controlid/push?deviceId=7": False,
    "/push/push?deviceId=7": False,
    "/other": False,
    "/push/c": True,
    "/1/push/c": True,
    "/3/push/c": True,
    "/1/container?id=c": True,
}
"""By path: whether the response has the envelope of Server-Eye, whose clients cannot read an empty one."""


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("path", "enveloped"), UNKNOWN_SECRET.items())
def test_unknown_secret(build_server: BuildServer, method: str, path: str, enveloped: bool) -> None:
    """Below an unknown secret every path is 404 after 5 s, also for a device that needs no secret."""
    server = build_server(bases=(b"/controlid",))
    server.register("controlid:7")
    server.register("servereye:c")
    connection = server.device_request(request(f"{method} /d/wrong{path}"))
    server.clock.advance(4.9)
    assert connection.answers() == []
    server.clock.advance(0.1)
    answer = connection.answer()
    assert answer.code == 404
    assert (answer.json["success"] is False) if enveloped else (answer.body == b"")
    assert {device["presence"] for device in server.ask("GET /v1/devices").json["items"]} == {"never_seen"}


def test_unknown_secret_and_hang_up(server: InMemoryServer) -> None:
    """If a client with an unknown secret disconnects before it is answered, no timer is left."""
    timers = len(server.clock.getDelayedCalls())
    server.device_request(request("GET /d/wrong/push?deviceId=7")).hang_up()
    assert len(server.clock.getDelayedCalls()) == timers


def test_request_after_an_unknown_secret(server: InMemoryServer) -> None:
    """After the response to an unknown secret, the connection is as good as new."""
    connection = server.device_request(request("GET /d/wrong/push?deviceId=7"))
    server.clock.advance(5)
    assert connection.answer().code == 404
    connection.send(request("POST /result?deviceId=7", b'{"response":""}'))
    server.clock.advance(0)
    assert connection.answer().code == 200
