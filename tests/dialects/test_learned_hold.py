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
from pushd.simulator.http import Line
from pushd.simulator.journal import Journal
from pushd.simulator.servereye.device import ServerEyeDevice
from pushd.simulator.servereye.push_service import PushService
from pushd.store.sqlite.store import SqliteStore
from tests.connection import request
from tests.dialects.proxies import Cut, Proxy, both_sides, with_504, with_504_dangling
from tests.in_memory_server import BuildHouse, House, now

NUMBER = "4408801109440101"
READER = f"controlid:{NUMBER}"
CONTAINER = "servereye:c0ffee"
LONG = {"controlid": 45.0, "servereye": 45.0}

STEP = 0.05
"""Seconds that the clock goes on at a time."""


@contextmanager
def beside(house: House) -> Iterator[Line]:
    """A line from a device to a server, both on the server's clock."""
    yield line_over(house, house.stub())


@contextmanager
def behind(house: House, patience: float | None = None, cut: Cut | None = None) -> Iterator[tuple[Line, Proxy]]:
    """A line that goes by a proxy, which hides hang-ups, and may have a patience of its own."""
    proxy = Proxy(house.stub(), house.clock, patience, cut)
    yield line_over(house, proxy), proxy
    proxy.close()


def line_over(house: House, treq: object) -> Line:
    """A line over something that asks as treq does."""
    return Line(treq=cast(HTTPClient, treq), clock=house.clock, root=DecodedURL.from_text("http://pushd.example:8080"))


def live(house: House, line: Line, seconds: float) -> None:
    """Let time pass for both, and what they say reach each other."""
    stub = cast(StubTreq, line.treq)
    for _ in range(round(seconds / STEP)):
        house.clock.advance(STEP)
        stub.flush()


def reader(house: House, line: Line, patience: float, period: float = 1.0) -> ControlIdDevice:
    """A reader that gives up a poll after so many seconds, and polls again after its period."""
    return ControlIdDevice(
        number=NUMBER,
        line=line,
        clock=house.clock,
        journal=Journal(clock=house.clock),
        api=LocalApi(serial=NUMBER),
        patience=patience,
        period=period,
    )


def container(house: House, line: Line, patience: float, retry: float = 10.0) -> ServerEyeDevice:
    """A container that gives up a poll after so many seconds, and polls again a while later."""
    service = PushService(line=line, container=CONTAINER.partition(":")[2], patience=patience)
    return ServerEyeDevice(service=service, clock=house.clock, journal=Journal(clock=house.clock), retry=retry)


def learned(house: House, device: str) -> float | None:
    """What the server has learned of a device."""
    found: float | None = house.seen(device)["learned_hold"]
    return found


@pytest.mark.parametrize(("patience", "about"), [(1, 0.0), (2, 1.5), (4, 3.2), (15, 12.0), (30, 24.0)])
def test_a_reader_that_hangs_up_is_soon_answered_in_time(
    build_house: BuildHouse, patience: float, about: float
) -> None:
    """After two polls that it gave up a reader is held for less than it waits, and gives up no more."""
    house = build_house(holds={"controlid": 45.0})
    with beside(house) as line:
        device = reader(house, line, patience)
        device.start()
        live(house, line, 3 * (patience + 1))
        assert learned(house, READER) == pytest.approx(about, abs=0.2)
        before = learned(house, READER)
        live(house, line, 5 * (patience + 1))
        assert learned(house, READER) == before
        device.stop()
        live(house, line, 1)


def test_a_reader_whose_patience_varies_a_little_is_learned_too(build_house: BuildHouse) -> None:
    """A reader that gives up now after 4.0 and now after 4.4 seconds is held for less than the shorter."""
    house = build_house(holds={"controlid": 45.0})
    with beside(house) as line:
        device = reader(house, line, 4.4)
        device.start()
        for patience in (4.0, 4.4, 4.1, 4.3):
            device.patience = patience
            live(house, line, patience + 1)
        device.stop()
        live(house, line, 1)
        assert 3.0 < (learned(house, READER) or 0) < 4.0


def test_a_network_that_drops_once_teaches_nothing(build_house: BuildHouse) -> None:
    """One poll that breaks off among others that are answered leaves the hold as it is."""
    house = build_house(holds={"controlid": 5.0})
    with beside(house) as line:
        device = reader(house, line, 15)
        device.start()
        live(house, line, 7)
        device.patience = 2
        live(house, line, 7)
        device.patience = 15
        live(house, line, 30)
        assert learned(house, READER) is None
        device.stop()
        live(house, line, 1)


@pytest.mark.parametrize("random", [0.0, 0.5])
@pytest.mark.parametrize("rest", [0.0, 1.0, 10.0], ids="resting-{}".format)
@pytest.mark.parametrize("patience", [4, 15, 30])
@pytest.mark.parametrize("device", [READER, CONTAINER])
def test_a_device_whose_hang_ups_are_hidden_is_soon_answered_in_time(
    build_house: BuildHouse, device: str, patience: float, rest: float, random: float
) -> None:
    """Behind a proxy that keeps hang-ups for itself a device is held for less and less, until it hears its answers."""
    house = build_house(holds=LONG, random=random)
    with behind(house) as (line, proxy):
        kind = reader if device == READER else container
        simulated = kind(house, line, patience, rest)
        simulated.start()
        live(house, line, 30 * (patience + rest))
        before = learned(house, device)
        assert before is not None
        assert patience / 4 < before <= patience  # less the jitter
        given_up = proxy.given_up
        live(house, line, 5 * (patience + rest))
        assert (learned(house, device), proxy.given_up) == (before, given_up)
        simulated.stop()
        live(house, line, 3)


@pytest.mark.parametrize("cut", [both_sides, with_504, with_504_dangling])
@pytest.mark.parametrize("retry", [0.0, 10.0], ids="resting-{}".format)
def test_a_container_behind_a_proxy_that_cuts_is_soon_answered_in_time(
    build_house: BuildHouse, cut: Cut, retry: float
) -> None:
    """A container that would wait for a minute, behind a proxy that waits for half of one, is held for less than
    that.
    """
    house = build_house(random=0.5)
    with behind(house, 30, cut) as (line, proxy):
        simulated = container(house, line, 60, retry)
        simulated.start()
        live(house, line, 10 * 40)
        assert 20 < (learned(house, CONTAINER) or 0) < 30
        given_up = proxy.given_up
        live(house, line, 5 * 40)
        assert proxy.given_up == given_up
        simulated.stop()
        live(house, line, 3)


def test_a_network_that_drops_once_does_not_shrink_what_was_learned(build_house: BuildHouse) -> None:
    """What a device behind a proxy has taught stays as it is, though one of its polls breaks off."""
    house = build_house(holds=LONG)
    with behind(house) as (line, proxy):
        device = reader(house, line, 15)
        device.start()
        live(house, line, 100)
        before = learned(house, READER)
        assert before is not None
        proxy.drop()
        live(house, line, 100)
        assert learned(house, READER) == before
        device.stop()
        live(house, line, 1)


def test_what_was_learned_lasts_over_a_restart(build_house: BuildHouse, tmp_path: Path) -> None:
    """The next process holds a device for as long as it taught the one before, and shows that at the device."""
    path = str(tmp_path / "pushd.sqlite")
    house = build_house(SqliteStore(path))
    with beside(house) as line:
        device = reader(house, line, 4)
        device.start()
        live(house, line, 15)
        device.stop()
        live(house, line, 1)
    house.core.drain()
    now(house.store.close())
    after = build_house(SqliteStore(path))
    assert learned(after, READER) == pytest.approx(3.2, abs=0.1)
    poll = after.knock(request(f"GET /push?deviceId={NUMBER}"))
    after.clock.advance(3.1)
    assert poll.answers() == []
    after.clock.advance(0.2)
    assert poll.answer().code == 200
