"""Tests of the hold that simulated devices teach a server that runs beside them on one clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from hyperlink import DecodedURL
from treq.client import HTTPClient
from treq.testing import StubTreq

from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.controlid.local_api import LocalApi
from pushd.simulator.http import DeviceClient
from pushd.simulator.journal import Journal
from pushd.simulator.servereye.client import ServerEyeClient
from pushd.simulator.servereye.device import ServerEyeDevice
from pushd.store.sqlite.store import SqliteStore
from tests.connection import request
from tests.dialects.proxies import Cut, Proxy, both_sides, with_504, with_504_dangling
from tests.in_memory_server import BuildHouse, InMemoryServer, now

NUMBER = "4408801109440101"
READER = f"controlid:{NUMBER}"
CONTAINER = "servereye:c0ffee"
LONG = {"controlid": 45.0, "servereye": 45.0}

STEP = 0.05
"""Seconds that the clock goes on at a time."""


@contextmanager
def beside(server: InMemoryServer) -> Iterator[DeviceClient]:
    """A line from a device to a server, both on the server's clock."""
    yield line_over(server, server.stub())


@contextmanager
def behind(
    server: InMemoryServer, patience: float | None = None, cut: Cut | None = None
) -> Iterator[tuple[DeviceClient, Proxy]]:
    """A line that goes by a proxy, which hides hang-ups, and may have a patience of its own."""
    proxy = Proxy(server.stub(), server.clock, patience, cut)
    yield line_over(server, proxy), proxy
    proxy.close()


def line_over(server: InMemoryServer, treq: object) -> DeviceClient:
    """A line over something that asks as treq does."""
    return DeviceClient(
        treq=cast(HTTPClient, treq), clock=server.clock, root=DecodedURL.from_text("http://pushd.example:8080")
    )


def live(server: InMemoryServer, line: DeviceClient, seconds: float) -> None:
    """Let time pass for both, and what they say reach each other."""
    stub = cast(StubTreq, line.treq)
    for _ in range(round(seconds / STEP)):
        server.clock.advance(STEP)
        stub.flush()


def reader(server: InMemoryServer, line: DeviceClient, patience: float, period: float = 1.0) -> ControlIdDevice:
    """A reader that gives up a poll after so many seconds, and polls again after its period."""
    return ControlIdDevice(
        number=NUMBER,
        client=line,
        clock=server.clock,
        journal=Journal(clock=server.clock),
        api=LocalApi(serial=NUMBER),
        timeout=patience,
        period=period,
    )


def container(server: InMemoryServer, line: DeviceClient, patience: float, retry: float = 10.0) -> ServerEyeDevice:
    """A container that gives up a poll after so many seconds, and polls again a while later."""
    client = ServerEyeClient(http=line, container=CONTAINER.partition(":")[2], timeout=patience)
    return ServerEyeDevice(client=client, clock=server.clock, journal=Journal(clock=server.clock), retry_delay=retry)


def learned(server: InMemoryServer, device: str) -> float | None:
    """What the server has learned of a device."""
    found: float | None = server.seen(device)["learned_hold"]
    return found


@pytest.mark.parametrize(("patience", "about"), [(1, 0.0), (2, 1.5), (4, 3.2), (15, 12.0), (30, 24.0)])
def test_a_reader_that_hangs_up_is_soon_answered_in_time(
    build_house: BuildHouse, patience: float, about: float
) -> None:
    """After two polls that it gave up a reader is held for less than it waits, and gives up no more."""
    server = build_house(holds={"controlid": 45.0})
    with beside(server) as line:
        device = reader(server, line, patience)
        device.start()
        live(server, line, 3 * (patience + 1))
        assert learned(server, READER) == pytest.approx(about, abs=0.2)
        before = learned(server, READER)
        live(server, line, 5 * (patience + 1))
        assert learned(server, READER) == before
        device.stop()
        live(server, line, 1)


def test_a_reader_whose_patience_varies_a_little_is_learned_too(build_house: BuildHouse) -> None:
    """A reader that gives up now after 4.0 and now after 4.4 seconds is held for less than the shorter."""
    server = build_house(holds={"controlid": 45.0})
    with beside(server) as line:
        device = reader(server, line, 4.4)
        device.start()
        for patience in (4.0, 4.4, 4.1, 4.3):
            device.timeout = patience
            live(server, line, patience + 1)
        device.stop()
        live(server, line, 1)
        assert 3.0 < (learned(server, READER) or 0) < 4.0


def test_a_network_that_drops_once_teaches_nothing(build_house: BuildHouse) -> None:
    """One poll that breaks off among others that are answered leaves the hold as it is."""
    server = build_house(holds={"controlid": 5.0})
    with beside(server) as line:
        device = reader(server, line, 15)
        device.start()
        live(server, line, 7)
        device.timeout = 2
        live(server, line, 7)
        device.timeout = 15
        live(server, line, 30)
        assert learned(server, READER) is None
        device.stop()
        live(server, line, 1)


@pytest.mark.parametrize("random", [0.0, 0.5])
@pytest.mark.parametrize("rest", [0.0, 1.0, 10.0], ids="resting-{}".format)
@pytest.mark.parametrize("patience", [4, 15, 30])
@pytest.mark.parametrize("device", [READER, CONTAINER])
def test_a_device_whose_hang_ups_are_hidden_is_soon_answered_in_time(
    build_house: BuildHouse, device: str, patience: float, rest: float, random: float
) -> None:
    """Behind a proxy that keeps hang-ups for itself a device is held for less and less, until it hears its answers."""
    server = build_house(holds=LONG, random=random)
    with behind(server) as (line, proxy):
        kind = reader if device == READER else container
        simulated = kind(server, line, patience, rest)
        simulated.start()
        live(server, line, 30 * (patience + rest))
        before = learned(server, device)
        assert before is not None
        assert patience / 4 < before <= patience  # less the jitter
        given_up = proxy.given_up
        live(server, line, 5 * (patience + rest))
        assert (learned(server, device), proxy.given_up) == (before, given_up)
        simulated.stop()
        live(server, line, 3)


@pytest.mark.parametrize("cut", [both_sides, with_504, with_504_dangling])
@pytest.mark.parametrize("retry", [0.0, 10.0], ids="resting-{}".format)
def test_a_container_behind_a_proxy_that_cuts_is_soon_answered_in_time(
    build_house: BuildHouse, cut: Cut, retry: float
) -> None:
    """A container that would wait for a minute, behind a proxy that waits for half of one, is held for less than
    that.
    """
    server = build_house(random=0.5)
    with behind(server, 30, cut) as (line, proxy):
        simulated = container(server, line, 60, retry)
        simulated.start()
        live(server, line, 10 * 40)
        assert 20 < (learned(server, CONTAINER) or 0) < 30
        given_up = proxy.given_up
        live(server, line, 5 * 40)
        assert proxy.given_up == given_up
        simulated.stop()
        live(server, line, 3)


def test_a_network_that_drops_once_does_not_shrink_what_was_learned(build_house: BuildHouse) -> None:
    """What a device behind a proxy has taught stays as it is, though one of its polls breaks off."""
    server = build_house(holds=LONG)
    with behind(server) as (line, proxy):
        device = reader(server, line, 15)
        device.start()
        live(server, line, 100)
        before = learned(server, READER)
        assert before is not None
        proxy.drop()
        live(server, line, 100)
        assert learned(server, READER) == before
        device.stop()
        live(server, line, 1)


def test_what_was_learned_lasts_over_a_restart(build_house: BuildHouse, tmp_path: Path) -> None:
    """The next process holds a device for as long as it taught the one before, and shows that at the device."""
    path = str(tmp_path / "pushd.sqlite")
    server = build_house(SqliteStore(path))
    with beside(server) as line:
        device = reader(server, line, 4)
        device.start()
        live(server, line, 15)
        device.stop()
        live(server, line, 1)
    server.core.drain()
    now(server.store.close())
    after = build_house(SqliteStore(path))
    assert learned(after, READER) == pytest.approx(3.2, abs=0.1)
    poll = after.device_request(request(f"GET /push?deviceId={NUMBER}"))
    after.clock.advance(3.1)
    assert poll.answers() == []
    after.clock.advance(0.2)
    assert poll.answer().code == 200
