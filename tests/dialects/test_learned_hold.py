"""Tests of learned holds: simulated devices and a server share one clock."""

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
from tests.connection import request
from tests.dialects.simulated_proxy import Cut, Proxy, both_sides, with_504, with_504_dangling
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.results import result_of
from tests.store.clock import new_store

NUMBER = "4408801109440101"
READER = f"controlid:{NUMBER}"
CONTAINER = "servereye:c0ffee"
LONG = {"controlid": 45.0, "servereye": 45.0}

STEP = 0.05
"""The clock advances in steps of so many seconds."""


@contextmanager
def direct_client(server: InMemoryServer) -> Iterator[DeviceClient]:
    """An HTTP client of a device, connected to the server."""
    yield client_over(server, server.stub())


@contextmanager
def proxied_client(
    server: InMemoryServer, timeout: float | None = None, cut: Cut | None = None
) -> Iterator[tuple[DeviceClient, Proxy]]:
    """An HTTP client behind a proxy, which hides disconnects, and may have a timeout of its own."""
    proxy = Proxy(server.stub(), server.clock, timeout, cut)
    yield client_over(server, proxy), proxy
    proxy.close()


def client_over(server: InMemoryServer, treq: object) -> DeviceClient:
    """An HTTP client over something with the interface of treq."""
    return DeviceClient(
        treq=cast(HTTPClient, treq), clock=server.clock, root=DecodedURL.from_text("http://pushd.example:8080")
    )


def run(server: InMemoryServer, client: DeviceClient, seconds: float) -> None:
    """Let time pass for devices and server, and deliver what they send."""
    stub = cast(StubTreq, client.treq)
    for _ in range(round(seconds / STEP)):
        server.clock.advance(STEP)
        stub.flush()


def reader(server: InMemoryServer, client: DeviceClient, timeout: float, period: float = 1.0) -> ControlIdDevice:
    """A reader that gives up a poll after ``timeout`` seconds, and polls again after ``period`` seconds."""
    return ControlIdDevice(
        number=NUMBER,
        client=client,
        clock=server.clock,
        journal=Journal(clock=server.clock),
        api=LocalApi(serial=NUMBER),
        timeout=timeout,
        period=period,
    )


def container(server: InMemoryServer, client: DeviceClient, timeout: float, retry: float = 10.0) -> ServerEyeDevice:
    """A container that gives up a poll after ``timeout`` seconds, and polls again after ``retry`` seconds."""
    protocol = ServerEyeClient(http=client, container=CONTAINER.partition(":")[2], timeout=timeout)
    return ServerEyeDevice(client=protocol, clock=server.clock, journal=Journal(clock=server.clock), retry_delay=retry)


def learned_hold(server: InMemoryServer, device: str) -> float | None:
    """The hold that the server has learned for a device."""
    found: float | None = server.device(device)["learned_hold"]
    return found


@pytest.mark.parametrize(("timeout", "about"), [(1, 0.0), (2, 1.5), (4, 3.2), (15, 12.0), (30, 24.0)])
def test_hold_is_learned_from_disconnects(build_server: BuildServer, timeout: float, about: float) -> None:
    """After two polls that a reader gave up, it is held for less than its timeout, and gives up no more."""
    server = build_server(holds={"controlid": 45.0})
    with direct_client(server) as client:
        device = reader(server, client, timeout)
        device.start()
        run(server, client, 3 * (timeout + 1))
        assert learned_hold(server, READER) == pytest.approx(about, abs=0.2)
        before = learned_hold(server, READER)
        run(server, client, 5 * (timeout + 1))
        assert learned_hold(server, READER) == before
        device.stop()
        run(server, client, 1)


def test_hold_is_learned_from_varying_disconnects(build_server: BuildServer) -> None:
    """A reader that gives up after 4.0 to 4.4 seconds is held for less than 4.0."""
    server = build_server(holds={"controlid": 45.0})
    with direct_client(server) as client:
        device = reader(server, client, 4.4)
        device.start()
        for timeout in (4.0, 4.4, 4.1, 4.3):
            device.timeout = timeout
            run(server, client, timeout + 1)
        device.stop()
        run(server, client, 1)
        assert 3.0 < (learned_hold(server, READER) or 0) < 4.0


def test_single_lost_connection_changes_no_hold(build_server: BuildServer) -> None:
    """One lost connection among polls that are answered does not change the hold."""
    server = build_server(holds={"controlid": 5.0})
    with direct_client(server) as client:
        device = reader(server, client, 15)
        device.start()
        run(server, client, 7)
        device.timeout = 2
        run(server, client, 7)
        device.timeout = 15
        run(server, client, 30)
        assert learned_hold(server, READER) is None
        device.stop()
        run(server, client, 1)


@pytest.mark.parametrize("random", [0.0, 0.5])
@pytest.mark.parametrize("retry", [0.0, 1.0, 10.0], ids="retry-{}".format)
@pytest.mark.parametrize("timeout", [4, 15, 30])
@pytest.mark.parametrize("device", [READER, CONTAINER])
def test_hold_is_learned_behind_a_proxy_that_hides_disconnects(
    build_server: BuildServer, device: str, timeout: float, retry: float, random: float
) -> None:
    """Behind a proxy that hides disconnects the hold is shortened until the device gets its responses."""
    server = build_server(holds=LONG, random=random)
    with proxied_client(server) as (client, proxy):
        kind = reader if device == READER else container
        simulated = kind(server, client, timeout, retry)
        simulated.start()
        run(server, client, 30 * (timeout + retry))
        before = learned_hold(server, device)
        assert before is not None
        assert timeout / 4 < before <= timeout  # less the jitter
        given_up = proxy.given_up
        run(server, client, 5 * (timeout + retry))
        assert (learned_hold(server, device), proxy.given_up) == (before, given_up)
        simulated.stop()
        run(server, client, 3)


@pytest.mark.parametrize("cut", [both_sides, with_504, with_504_dangling])
@pytest.mark.parametrize("retry", [0.0, 10.0], ids="retry-{}".format)
def test_hold_is_learned_behind_a_proxy_with_a_timeout(build_server: BuildServer, cut: Cut, retry: float) -> None:
    """A container with a timeout of 60 s, behind a proxy with one of 30 s, is held for less than 30 s."""
    server = build_server(random=0.5)
    with proxied_client(server, 30, cut) as (client, proxy):
        simulated = container(server, client, 60, retry)
        simulated.start()
        run(server, client, 10 * 40)
        assert 20 < (learned_hold(server, CONTAINER) or 0) < 30
        given_up = proxy.given_up
        run(server, client, 5 * 40)
        assert proxy.given_up == given_up
        simulated.stop()
        run(server, client, 3)


def test_single_lost_connection_changes_no_learned_hold(build_server: BuildServer) -> None:
    """One lost connection behind a proxy does not change the hold that was learned."""
    server = build_server(holds=LONG)
    with proxied_client(server) as (client, proxy):
        device = reader(server, client, 15)
        device.start()
        run(server, client, 100)
        before = learned_hold(server, READER)
        assert before is not None
        proxy.drop()
        run(server, client, 100)
        assert learned_hold(server, READER) == before
        device.stop()
        run(server, client, 1)


def test_learned_hold_survives_a_restart(build_server: BuildServer, tmp_path: Path) -> None:
    """After a restart a device has the hold that was learned before, and its polls are held that long."""
    path = str(tmp_path / "pushd.sqlite")
    server = build_server(new_store(path))
    with direct_client(server) as client:
        device = reader(server, client, 4)
        device.start()
        run(server, client, 15)
        device.stop()
        run(server, client, 1)
    server.core.drain()
    result_of(server.store.close())
    after = build_server(new_store(path))
    assert learned_hold(after, READER) == pytest.approx(3.2, abs=0.1)
    poll = after.device_request(request(f"GET /push?deviceId={NUMBER}"))
    after.clock.advance(3.1)
    assert poll.answers() == []
    after.clock.advance(0.2)
    assert poll.answer().code == 200
