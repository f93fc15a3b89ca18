"""The fleet of simulated devices."""

import json
from pathlib import Path
from typing import Any

from hyperlink import DecodedURL
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from pushd.simulator.faults import Fault
from pushd.simulator.fleet import Fleet
from pushd.simulator.http import Line
from pushd.simulator.journal import Journal
from pushd.simulator.options import Plan
from pushd.simulator.workshop import MakeLine, Workshop, assemble
from tests.simulator.counterpart import Counterpart

SERVER = DecodedURL.from_text("http://pushd.example:8080")
ACTION = b'"body":{"actions":[{"action":"door","parameters":"door=1"}]}'
DOOR = b'{"endpoint":"execute_actions","queryString":"by=1",%s}' % ACTION
IDS = '"rootContainerId":"c1","containerId":"c1","senderId":"c1"'
REFRESH = f'{{"success":true,"message":"","data":{{{IDS},"messageId":"m1","control":"REFRESH_AGENT","data":""}}}}'


def fleet_of(server: Counterpart, **plan: Any) -> Fleet:
    """The fleet of a plan, with lines to a server in a test."""
    made = Plan(server=SERVER, **plan)
    journal = Journal(clock=server.clock, path=made.journal)
    return Workshop(plan=made, make_line=line_to(server), clock=server.clock, journal=journal).fleet()


def line_to(server: Counterpart) -> MakeLine:
    """Makes lines to a server in a test."""
    return lambda root, source: Line(treq=server.treq, clock=server.clock, root=root)


def stop(server: Counterpart, fleet: Fleet) -> None:
    """Stop a fleet whose server does not answer any more."""
    stopping = fleet.stopService()
    server.advance(2)
    assert stopping.called


def test_everybody_polls(server: Counterpart) -> None:
    """When the fleet starts, each of its devices polls under its own id."""
    fleet = fleet_of(server, controlid=["7", "8"], servereye=["c1"])
    assert [device.id for device in fleet.devices] == ["controlid:7", "controlid:8", "servereye:c1"]
    assert server.waiting() == []
    fleet.startService()
    assert [server.take("GET", "/push").args["deviceId"] for _ in range(2)] == ["7", "8"]
    server.take("GET", "/push/c1")
    stop(server, fleet)


def test_stop(server: Counterpart) -> None:
    """The fleet has stopped when the last device has signed off, and nothing is left to happen."""
    fleet = fleet_of(server, controlid=["7"], servereye=["c1"])
    fleet.startService()
    gone: list[None] = []
    fleet.stopService().addCallback(gone.append)
    assert gone == []
    server.take("GET", "/push/c1/signoff").answer(b'{"success":true,"message":"bye"}')
    assert gone == [None]
    server.advance(0)
    assert server.waiting() == []


def test_paths(server: Counterpart) -> None:
    """A secret stands in front of the base, of its own device only; the base is for Control iD alone."""
    secrets = {"controlid:7": "s/1", "servereye:c1": "s2"}
    fleet = fleet_of(server, controlid=["7", "8"], servereye=["c1"], base=["api", "x"], secrets=secrets)
    fleet.startService()
    assert server.waiting() == ["GET /d/s%2F1/api/x/push", "GET /api/x/push", "GET /d/s2/push/c1"]
    stop(server, fleet)


def test_settings(server: Counterpart) -> None:
    """What the plan says of keys, times and faults reaches the devices."""
    fleet = fleet_of(
        server,
        controlid=["7"],
        servereye=["c1"],
        api_key="k",
        timeout=30.0,
        period=5.0,
        work=2.0,
        odds={Fault.LOSE_RESULT: 1.0},
    )
    fleet.startService()
    assert server.take("GET", "/push/c1").args == {"apiKey": "k"}
    server.take("GET", "/push").answer()
    server.advance(5)
    poll = server.take("GET", "/push")
    server.advance(29.9)
    assert not poll.hung_up()
    poll.answer(DOOR)
    server.advance(2)
    assert server.waiting() == ["GET /push"]
    stop(server, fleet)


def test_journal(server: Counterpart, tmp_path: Path) -> None:
    """Whatever a device runs is in the journal before it is reported, and so is what the server took."""

    def told() -> list[dict[str, str]]:
        lines = (tmp_path / "journal").read_text().splitlines()
        return [{name: value for name, value in json.loads(line).items() if name != "time"} for line in lines][2:]

    fleet = fleet_of(server, controlid=["7"], servereye=["c1"], journal=tmp_path / "journal")
    fleet.startService()
    poll = server.take("GET", "/push")
    poll.answer(DOOR)
    server.take("GET", "/push/c1").answer(REFRESH.encode())
    uuid = poll.args["uuid"]
    ran = [
        {"device": "controlid:7", "did": "ran", "uuid": uuid, "endpoint": "execute_actions", "query": "by=1"},
        {"device": "servereye:c1", "did": "ran", "command": "m1", "control": "REFRESH_AGENT"},
    ]
    assert told() == ran
    server.advance(0.2)
    results = server.take("POST", "/result"), server.take("POST", "/push/c1/result/m1")
    assert told() == ran
    for result in results:
        result.answer(b"{}")
    assert told()[2:] == [
        {"device": "controlid:7", "did": "reported", "uuid": uuid},
        {"device": "servereye:c1", "did": "reported", "command": "m1"},
    ]
    stop(server, fleet)


def test_assemble() -> None:
    """A fleet connects to its server when it starts, not before, and leaves nothing behind when it stops."""
    reactor = MemoryReactorClock()
    fleet = assemble(Plan(server=SERVER, controlid=["7"], servereye=["c1"]), reactor)
    assert reactor.tcpClients == []
    fleet.startService()
    reactor.advance(0)
    assert len(reactor.tcpClients) == 2
    stopping = fleet.stopService()
    reactor.advance(2)
    assert stopping.called
    assert reactor.getDelayedCalls() == []


def test_fates_differ(clock: Clock) -> None:
    """Two devices of one seed do not meet the same faults at the same time, and each meets its own again."""
    plan = Plan(server=SERVER, controlid=["7", "8"], odds={Fault.SLOW: 0.5})

    def fates() -> list[tuple[bool, ...]]:
        make_line = line_to(Counterpart(clock))
        workshop = Workshop(plan=plan, make_line=make_line, clock=clock, journal=Journal(clock=clock))
        devices = [workshop.controlid(device) for device in plan.devices]
        return [tuple(device.faults.strikes(Fault.SLOW) for _ in range(64)) for device in devices]

    first, second = fates()
    assert first != second
    assert fates() == [first, second]
