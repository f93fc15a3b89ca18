"""Simulated devices that go offline, sign off and come back."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hyperlink import DecodedURL
from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.web.client import HTTPConnectionPool

from pushd.simulator.fleet import Fleet, build_fleet
from pushd.simulator.http import DeviceClient
from pushd.simulator.options import FleetOptions
from pushd.simulator.outages import parse_outage
from tests.simulator.fake_server import FakeServer

READERS = ("7", "8", "9")
CONTAINERS = ("c1", "c2")


class CountingPool(HTTPConnectionPool):
    """Counts how often the idle connections of a device were closed."""

    closed = 0

    def closeCachedConnections(self) -> Deferred[None]:
        """Count."""
        self.closed += 1
        return succeed(None)


def start_fleet(server: FakeServer, *outages: str, pools: Iterable[CountingPool] = (), **settings: Any) -> Fleet:
    """Start a fleet with these outages."""
    devices = {"controlid": READERS, "servereye": CONTAINERS}
    options = FleetOptions(
        server=DecodedURL.from_text("http://pushd.example"),
        outages=[parse_outage(outage) for outage in outages],
        **devices | settings,
    )
    unused = iter(pools)

    def create_client(root: DecodedURL, source: str | None) -> DeviceClient:
        return DeviceClient(treq=server.treq, clock=server.clock, root=root, pool=next(unused, None))

    fleet = build_fleet(options, server.clock, create_client)
    fleet.startService()
    return fleet


def polling(server: FakeServer) -> list[str]:
    """The ids of the devices whose poll the server holds, in order."""
    polls = server.unanswered()
    return sorted(poll.args.get("deviceId") or poll.path.removeprefix("/push/") for poll in polls)


def journal_of(path: Path) -> list[tuple[str, str]]:
    """What the devices did according to the journal."""
    return [(line["device"], line["did"]) for line in map(json.loads, path.read_text().splitlines())]


def stop(server: FakeServer, fleet: Fleet) -> None:
    """Stop a fleet whose server no longer answers."""
    stopping = fleet.stopService()
    server.advance(2)
    server.advance(2)
    assert stopping.called


def test_offline(server: FakeServer, tmp_path: Path) -> None:
    """Some devices close their polls at the planned time, and others continue."""
    fleet = start_fleet(server, "offline=3-4@20+60", timeout=1000.0, journal=tmp_path / "journal")
    all_devices = ["7", "8", "9", "c1", "c2"]
    server.advance(19.9)
    assert polling(server) == all_devices
    server.advance(0.1)
    assert polling(server) == ["7", "8", "c2"]
    stop(server, fleet)


def test_no_idle_connections(server: FakeServer) -> None:
    """A device that goes offline also closes its idle connections."""
    pools = [CountingPool(server.clock) for _ in range(5)]
    fleet = start_fleet(server, "offline=3-4@20+60", pools=pools, timeout=1000.0)
    server.advance(20)
    assert [pool.closed for pool in pools] == [0, 0, 1, 1, 0]
    stop(server, fleet)
    assert all(pool.closed for pool in pools)


def test_return(server: FakeServer, tmp_path: Path) -> None:
    """When the outage ends, all its devices poll again at once, and the journal has both moments."""
    fleet = start_fleet(server, "offline=2-4@20+30", timeout=1000.0, journal=tmp_path / "journal")
    server.advance(20)
    assert polling(server) == ["7", "c2"]
    server.advance(29.9)
    assert polling(server) == ["7", "c2"]
    server.advance(0.1)
    assert polling(server) == ["7", "8", "9", "c1", "c2"]
    affected = ["controlid:8", "controlid:9", "servereye:c1"]
    assert journal_of(tmp_path / "journal")[5:] == [
        *((device, "went-offline") for device in affected),
        *((device, "came-back") for device in affected),
    ]
    stop(server, fleet)


def test_nothing_while_offline(server: FakeServer) -> None:
    """A device that goes offline never reports the command that it was executing."""
    fleet = start_fleet(
        server, "offline=1-1@20+10", controlid=["7"], servereye=[], command_duration=15.0, timeout=1000.0
    )
    poll = server.take("GET", "/push")
    server.advance(10)
    poll.answer(b'{"endpoint":"system_information"}')
    server.advance(10)
    assert server.waiting() == []
    server.advance(9)
    assert server.waiting() == []
    server.advance(1)
    assert server.waiting() == ["GET /push"]
    stop(server, fleet)


def test_spread_return(server: FakeServer, tmp_path: Path) -> None:
    """If the return is spread, the devices come back one after the other."""
    fleet = start_fleet(server, "offline=1-3@1+1~10", servereye=[], timeout=1000.0)
    counts = set()
    server.advance(2)
    for _ in range(100):
        server.advance(0.1)
        counts.add(len(polling(server)))
    assert counts == {0, 1, 2, 3}
    stop(server, fleet)


def test_sign_off(server: FakeServer, tmp_path: Path) -> None:
    """A container signs off, is offline once that is answered or times out, and comes back."""
    fleet = start_fleet(server, "signed-off=2@5+10", controlid=[], journal=tmp_path / "journal")
    server.advance(5)
    server.take("GET", "/push/c1/signoff").answer(b'{"success":true,"message":"bye"}')
    server.take("GET", "/push/c2/signoff")  # not answered
    server.advance(2)
    assert polling(server) == []
    server.advance(8)
    assert polling(server) == ["c1", "c2"]
    assert journal_of(tmp_path / "journal")[2:] == [
        ("servereye:c1", "signed-off"),
        ("servereye:c2", "signed-off"),
        ("servereye:c1", "came-back"),
        ("servereye:c2", "came-back"),
    ]
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert [line["answered"] for line in lines[2:4]] == [True, False]
    stop(server, fleet)


def test_sign_off_outlasts_outage(server: FakeServer) -> None:
    """A container that is still signing off at the time of its return comes back afterwards."""
    fleet = start_fleet(server, "signed-off=1@5+1", controlid=[], servereye=["c1"])
    server.advance(5)
    server.advance(1)
    assert "GET /push/c1/signoff" in server.waiting()
    server.advance(1)
    assert server.waiting() == ["GET /push/c1"]
    stop(server, fleet)


def test_flapping(server: FakeServer) -> None:
    """A flapping device goes offline and comes back repeatedly, and is online in the end."""
    fleet = start_fleet(server, "flapping=1-1@10+20/10", servereye=[], controlid=["7"], timeout=1000.0)
    seen = []
    for _ in range(9):
        server.advance(4.9)
        seen.append(len(polling(server)))
        server.advance(0.1)
    assert seen == [1, 1, 0, 1, 0, 1, 1, 1, 1]
    stop(server, fleet)


def test_stop_while_offline(server: FakeServer) -> None:
    """A fleet that is stopped during an outage leaves its devices offline, and nothing else is pending."""
    fleet = start_fleet(server, "offline=4-5@5+60", "flapping=1@5+60/10", timeout=1000.0)
    server.advance(5)
    stopping = fleet.stopService()
    server.advance(0)
    assert stopping.called
    assert server.waiting() == []


def test_stop_while_signing_off(server: FakeServer) -> None:
    """A fleet that is stopped while a container signs off waits for the sign-off."""
    fleet = start_fleet(server, "signed-off=1@5+60", controlid=[], servereye=["c1"])
    server.advance(5)
    stopping = fleet.stopService()
    assert not stopping.called
    server.take("GET", "/push/c1/signoff").answer(b'{"success":true,"message":"bye"}')
    server.advance(0)
    assert stopping.called


def test_ramp(server: FakeServer) -> None:
    """Devices start one after the other, and a fleet that stops starts no more of them."""
    fleet = start_fleet(server, ramp=10.0, timeout=1000.0)
    counts = []
    for _ in range(4):
        counts.append(len(polling(server)))
        server.advance(2)
    assert counts == [1, 2, 3, 4]
    stop(server, fleet)
    server.advance(10)
    assert server.waiting() == []


def test_one_line_per_step(server: FakeServer) -> None:
    """The log has one line for all devices that go offline or come back together."""
    with capturedLogs() as logged:
        fleet = start_fleet(server, "offline=1-5@5+5", timeout=1000.0)
        server.advance(5)
        server.advance(5)
    assert list(map(formatEvent, logged)) == [
        "Starting 5 devices over 0 s",
        "offline=1-5@5+5: 5 devices went offline",
        "offline=1-5@5+5: 5 devices came back",
    ]
    stop(server, fleet)
