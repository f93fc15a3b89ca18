"""The fleet of simulated devices."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from hyperlink import DecodedURL
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from pushd.simulator.controlid.device import ControlIdDevice
from pushd.simulator.faults import Fault
from pushd.simulator.fleet import CreateClient, Fleet, build_fleet, controlid_ids, servereye_ids
from pushd.simulator.http import DeviceClient, DeviceClientFactory
from pushd.simulator.options import FleetOptions
from tests.simulator.fake_server import FakeServer

SERVER = DecodedURL.from_text("http://pushd.example:8080")
ACTION = b'"body":{"actions":[{"action":"door","parameters":"door=1"}]}'
DOOR = b'{"endpoint":"execute_actions","queryString":"by=1",%s}' % ACTION
IDS = '"rootContainerId":"c1","containerId":"c1","senderId":"c1"'
REFRESH = f'{{"success":true,"message":"","data":{{{IDS},"messageId":"m1","control":"REFRESH_AGENT","data":""}}}}'


def fleet_of(server: FakeServer, **settings: Any) -> Fleet:
    """A fleet with clients of a server in memory."""
    return build_fleet(FleetOptions(server=SERVER, **settings), server.clock, clients_of(server))


def clients_of(server: FakeServer) -> CreateClient:
    """Creates clients of a server in memory."""
    return lambda root, source: DeviceClient(treq=server.treq, clock=server.clock, root=root)


def stop(server: FakeServer, fleet: Fleet) -> None:
    """Stop a fleet whose server no longer answers."""
    stopping = fleet.stopService()
    server.advance(2)
    assert stopping.called


def test_all_devices_poll(server: FakeServer) -> None:
    """When the fleet starts, each of its devices polls under its own id."""
    fleet = fleet_of(server, controlid=["7", "8"], servereye=["c1"])
    assert [device.id for device in fleet.devices] == ["controlid:7", "controlid:8", "servereye:c1"]
    assert server.waiting() == []
    fleet.startService()
    assert [server.take("GET", "/push").args["deviceId"] for _ in range(2)] == ["7", "8"]
    server.take("GET", "/push/c1")
    stop(server, fleet)


def test_stop(server: FakeServer) -> None:
    """The fleet has stopped when the last device has signed off, and nothing is pending then."""
    fleet = fleet_of(server, controlid=["7"], servereye=["c1"])
    fleet.startService()
    stopped: list[None] = []
    fleet.stopService().addCallback(stopped.append)
    assert stopped == []
    server.take("GET", "/push/c1/signoff").answer(b'{"success":true,"message":"bye"}')
    assert stopped == [None]
    server.advance(0)
    assert server.waiting() == []


def test_paths(server: FakeServer) -> None:
    """The secret path of a device precedes the base path, which only Control iD devices have."""
    secrets = {"controlid:7": "s/1", "servereye:c1": "s2"}
    fleet = fleet_of(server, controlid=["7", "8"], servereye=["c1"], base=["api", "x"], secrets=secrets)
    fleet.startService()
    assert server.waiting() == ["GET /d/s%2F1/api/x/push", "GET /api/x/push", "GET /d/s2/push/c1"]
    stop(server, fleet)


def test_settings(server: FakeServer) -> None:
    """The options for keys, times and faults reach the devices."""
    fleet = fleet_of(
        server,
        controlid=["7"],
        servereye=["c1"],
        api_key="k",
        timeout=30.0,
        period=5.0,
        command_duration=2.0,
        faults={Fault.LOSE_RESULT: 1.0},
    )
    fleet.startService()
    assert server.take("GET", "/push/c1").args == {"apiKey": "k"}
    server.take("GET", "/push").answer()
    server.advance(5)
    poll = server.take("GET", "/push")
    server.advance(29.9)
    assert not poll.closed()
    poll.answer(DOOR)
    server.advance(2)
    assert server.waiting() == ["GET /push"]
    stop(server, fleet)


def test_journal(server: FakeServer, tmp_path: Path) -> None:
    """The journal has each command before its result is sent, and each result that the server accepted."""

    def recorded() -> list[dict[str, str]]:
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
    assert recorded() == ran
    server.advance(0.2)
    results = server.take("POST", "/result"), server.take("POST", "/push/c1/result/m1")
    assert recorded() == ran
    for result in results:
        result.answer(b"{}")
    assert recorded()[2:] == [
        {"device": "controlid:7", "did": "reported", "uuid": uuid},
        {"device": "servereye:c1", "did": "reported", "command": "m1"},
    ]
    stop(server, fleet)


def test_connections() -> None:
    """A fleet connects to its server when it starts, not before, and leaves nothing pending when it stops."""
    reactor = MemoryReactorClock()
    options = FleetOptions(server=SERVER, controlid=["7"], servereye=["c1"])
    fleet = build_fleet(options, reactor, DeviceClientFactory(reactor).create)
    assert reactor.tcpClients == []
    fleet.startService()
    reactor.advance(0)
    assert len(reactor.tcpClients) == 2
    stopping = fleet.stopService()
    reactor.advance(2)
    assert stopping.called
    assert reactor.getDelayedCalls() == []


def test_faults_differ(clock: Clock) -> None:
    """Two devices do not have the same faults at the same time, and the same seed repeats the faults of each."""

    def faults() -> list[tuple[bool, ...]]:
        fleet: Any = fleet_of(FakeServer(clock), controlid=["7", "8"], faults={Fault.SLOW: 0.5})
        return [tuple(device.faults.occurs(Fault.SLOW) for _ in range(64)) for device in fleet.devices]

    first, second = faults()
    assert first != second
    assert faults() == [first, second]


def test_controlid_ids() -> None:
    """Control iD devices have consecutive ids of 16 digits."""
    ids = controlid_ids(1, 5)
    assert {len(name) for name in ids} == {16}
    assert [int(name) - int(ids[0]) for name in ids] == [0, 1, 2, 3, 4]
    assert all(name.startswith("44") for name in ids)


def test_servereye_ids() -> None:
    """Containers have UUIDs as ids."""
    ids = servereye_ids(1, 5)
    assert [str(UUID(name)) for name in ids] == list(ids)
    assert len(set(ids)) == 5


def test_ids_by_seed() -> None:
    """A seed makes the same ids each time, however many are needed, and another seed makes others."""
    for make in (controlid_ids, servereye_ids):
        assert make(1, 3) == make(1, 10)[:3]
        assert not set(make(1, 10)) & set(make(2, 10))


def test_models(server: FakeServer) -> None:
    """The devices have the models of the option in turn, and a reader rejects the action of another model."""
    fleet = fleet_of(server, controlid=["7", "8", "9"], servereye=["c1"], models=["iDFlex", "iDBlock"])
    models = [device.api.model for device in fleet.devices if isinstance(device, ControlIdDevice)]
    assert models == ["iDFlex", "iDBlock", "iDFlex"]
    fleet.startService()
    server.take("GET", "/push").answer(DOOR)
    server.advance(0.5)
    result = json.loads(server.take("POST", "/result").body)
    assert result == {"error": "invalid action 'door': iDFlex opens with sec_box"}
    stop(server, fleet)
