"""Tests of :mod:`pushd.http.device_port`: how paths are split, and which door they lead to."""

import re
from typing import cast

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from pushd.http.bodies import SMALL
from pushd.http.device_port import DevicePort, MountedApp
from pushd.http.handlers import IApp
from pushd.http.router import unquoted
from tests.connection import request
from tests.in_memory_server import BuildHouse, InMemoryServer

NOWHERE = cast(IApp, None)
LARGER = SMALL + 1
PREFIXES = (b"", b"/controlid", b"/controlid/push", b"/1")
PATHS = (b"/push", b"/result", b"/push/c/ack/m")


@define(eq=False)
class Hall:
    """A port with one door, which notes what comes to it."""

    came: list[tuple[bytes, bytes]] = field(factory=list)

    def port(self) -> DevicePort:
        """The port."""
        pattern = re.compile(b"|".join(PATHS))
        door = MountedApp(prefixes=PREFIXES, pattern=pattern, app=NOWHERE, limit=self._limit)
        return DevicePort([door], lambda secret: None)

    def _limit(self, below: bytes, query: bytes) -> int:
        self.came.append((below, query))
        return LARGER


SEGMENT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#"), min_size=1)


@st.composite
def spelled(draw: st.DrawFn, path: bytes) -> bytes:
    """A path in which any slash may be repeated."""
    return b"".join(b"/" * draw(st.integers(1, 3)) if char == 47 else bytes([char]) for char in path)


@given(st.data(), st.sampled_from(PREFIXES), st.sampled_from(PATHS), st.none() | SEGMENT)
def test_path_finds_its_door(data: st.DataObject, prefix: bytes, path: bytes, secret: str | None) -> None:
    """A path leads to its door below any prefix, below any secret, and however often its slashes are repeated."""
    hall = Hall()
    before = b"" if secret is None else b"/d/" + secret.encode()
    uri = data.draw(spelled(before + prefix + path))
    assert hall.port().limit(b"GET", uri + b"?a=//b") == LARGER
    assert hall.came == [(path, b"a=//b")]


@given(st.lists(SEGMENT, max_size=6))
def test_other_paths_find_none(segments: list[str]) -> None:
    """A path that is none of ours leads nowhere, and little of its body is kept."""
    hall = Hall()
    path = "/" + "/".join(segments)
    ours = re.fullmatch(r"(/d/[^/]+)?(/controlid|/controlid/push|/1)?(/push|/result|/push/c/ack/m)", path)
    assert (hall.port().limit(b"GET", path.encode()) == LARGER) == (ours is not None)


@given(st.lists(SEGMENT.map(lambda text: text.replace("%", ""))))
def test_unquoted(segments: list[str]) -> None:
    """Where nothing is quoted, a path is its text."""
    path = "/".join(segments)
    assert unquoted(path.encode()) == path


@given(st.binary())
def test_anything_unquoted(path: bytes) -> None:
    """Any path has as many parts as it has slashes, and each can be read."""
    assert unquoted(path).count("/") == path.count(b"/")


def test_quoted_slash_separates_nothing(server: InMemoryServer) -> None:
    """A slash that was quoted is a part of a name: it does not lead to another call."""
    server.register("servereye:c")
    answer = server.device_request(request("GET /push/c%2Fsignoff")).answer()
    assert answer.code == 400
    assert server.seen("servereye:c")["presence"] == "never_seen"


def test_quoted_letters(server: InMemoryServer) -> None:
    """A client may quote what need not be quoted."""
    assert server.device_request(request("GET /push/%63%7E1/signoff")).answer().code == 200
    server.register("servereye:c~1")
    server.device_request(request("GET /push/%63%7E1"))
    assert server.seen("servereye:c~1")["polling"] is True


@pytest.mark.parametrize("path", "/ // /pus /pushx /result/ /d /d/x /api/push /v1/devices /3/push/c".split())
def test_unknown_path(server: InMemoryServer, path: str) -> None:
    """What is nowhere is 404, and empty."""
    answer = server.device_request(request(f"GET {path}")).answer()
    assert (answer.code, answer.body) == (404, b"")


def test_unknown_secret(build_house: BuildHouse) -> None:
    """Below a secret that is nobody's there is nothing, not even for a device that needs none."""
    server = build_house(bases=(b"/controlid",))
    server.register("controlid:7")
    for path in ("/push?deviceId=7", "/controlid/push?deviceId=7", "/push/c", "/1/push/c"):
        answer = server.device_request(request(f"GET /d/wrong{path}")).answer()
        assert (answer.code, answer.body) == (404, b"")
    assert server.seen("controlid:7")["presence"] == "never_seen"
