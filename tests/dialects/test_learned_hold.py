"""
Tests of the hold that simulated devices teach a server that runs beside them on one clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from hyperlink import DecodedURL
from treq.client import HTTPClient
from treq.testing import StubTreq

from pushd.simulator.controlid import ControlIdDevice
from pushd.simulator.journal import Journal
from pushd.simulator.line import Line
from pushd.simulator.local_api import LocalApi
from tests.house import BuildHouse, House

NUMBER = "4408801109440101"
READER = f"controlid:{NUMBER}"

STEP = 0.05
"""Seconds that the clock goes on at a time."""


@contextmanager
def beside(house: House) -> Iterator[Line]:
    """
    A line from a device to a server, both on the server's clock.
    """
    stub = house.stub()
    yield Line(treq=cast(HTTPClient, stub), clock=house.clock, root=DecodedURL.from_text("http://pushd.example:8080"))


def live(house: House, line: Line, seconds: float) -> None:
    """
    Let time pass for both, and what they say reach each other.
    """
    stub = cast(StubTreq, line.treq)
    for _ in range(round(seconds / STEP)):
        house.clock.advance(STEP)
        stub.flush()


def reader(house: House, line: Line, patience: float) -> ControlIdDevice:
    """
    A reader that gives up a poll after so many seconds, and polls again a second later.
    """
    return ControlIdDevice(
        number=NUMBER,
        line=line,
        clock=house.clock,
        journal=Journal(clock=house.clock),
        api=LocalApi(serial=NUMBER),
        patience=patience,
        period=1.0,
    )


def learned(house: House, device: str) -> float | None:
    """
    What the server has learned of a device.
    """
    found: float | None = house.seen(device)["learned_hold"]
    return found


@pytest.mark.parametrize(("patience", "about"), [(1, 0.0), (2, 1.5), (4, 3.2), (15, 12.0), (30, 24.0)])
def test_a_reader_that_hangs_up_is_soon_answered_in_time(
    build_house: BuildHouse, patience: float, about: float
) -> None:
    """
    After two polls that it gave up a reader is held for less than it waits, and gives up no more.
    """
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
    """
    A reader that gives up now after 4.0 and now after 4.4 seconds is held for less than the shorter.
    """
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
    """
    One poll that breaks off among others that are answered leaves the hold as it is.
    """
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
