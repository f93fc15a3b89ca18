"""Simulated devices that fall silent, sign off and come back."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hyperlink import DecodedURL
from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs, formatEvent
from twisted.web.client import HTTPConnectionPool

from pushd.simulator.fleet import Fleet
from pushd.simulator.http import Line
from pushd.simulator.journal import Journal
from pushd.simulator.options import Plan
from pushd.simulator.scenarios import read_mood
from pushd.simulator.workshop import Workshop
from tests.simulator.counterpart import Counterpart

READERS = ("7", "8", "9")
CONTAINERS = ("c1", "c2")


class Pool(HTTPConnectionPool):
    """A device's kept connections, which count how often they were closed."""

    closed = 0

    def closeCachedConnections(self) -> Deferred[None]:
        """Count."""
        self.closed += 1
        return succeed(None)


def fleet_of(server: Counterpart, *moods: str, pools: Iterable[Pool] = (), **said: Any) -> Fleet:
    """A fleet that has started, with some of its devices in a mood."""
    people = {"controlid": READERS, "servereye": CONTAINERS} | said
    plan = Plan(
        server=DecodedURL.from_text("http://pushd.example"), moods=[read_mood(mood) for mood in moods], **people
    )

    spare = iter(pools)

    def make_line(root: DecodedURL, source: str | None) -> Line:
        kept = next(spare, None)
        return Line(treq=server.treq, clock=server.clock, root=root, kept=kept)

    journal = Journal(clock=server.clock, path=plan.journal)
    fleet = Workshop(plan=plan, make_line=make_line, clock=server.clock, journal=journal).fleet()
    fleet.startService()
    return fleet


def polling(server: Counterpart) -> list[str]:
    """Who holds a poll, in order of names."""
    server.door._flush()
    held = [asked for asked in server.door.held if not asked.hung_up() and not asked.request.finished]
    return sorted(asked.args.get("deviceId") or asked.path.removeprefix("/push/") for asked in held)


def deeds(path: Path) -> list[tuple[str, str]]:
    """What came and went by the journal."""
    return [(line["device"], line["did"]) for line in map(json.loads, path.read_text().splitlines())]


def stop(server: Counterpart, fleet: Fleet) -> None:
    """Stop a fleet whose server does not answer any more."""
    stopping = fleet.stopService()
    server.advance(2)
    server.advance(2)
    assert stopping.called


def test_silence(server: Counterpart, tmp_path: Path) -> None:
    """Devices vanish without a word when it is time, others stay, and they come back together."""
    fleet = fleet_of(server, "offline=3-4@20+60", timeout=1000.0, journal=tmp_path / "journal")
    everybody = ["7", "8", "9", "c1", "c2"]
    server.advance(19.9)
    assert polling(server) == everybody
    server.advance(0.1)
    assert polling(server) == ["7", "8", "c2"]
    stop(server, fleet)


def test_nothing_is_kept_open(server: Counterpart) -> None:
    """A device that falls silent closes the connections that it kept for its next poll."""
    pools = [Pool(server.clock) for _ in range(5)]
    fleet = fleet_of(server, "offline=3-4@20+60", pools=pools, timeout=1000.0)
    server.advance(20)
    assert [pool.closed for pool in pools] == [0, 0, 1, 1, 0]
    stop(server, fleet)
    assert all(pool.closed for pool in pools)


def test_return(server: Counterpart, tmp_path: Path) -> None:
    """When the silence is over, all poll again at once, and the journal tells when each went and came."""
    fleet = fleet_of(server, "offline=2-4@20+30", timeout=1000.0, journal=tmp_path / "journal")
    server.advance(20)
    assert polling(server) == ["7", "c2"]
    server.advance(29.9)
    assert polling(server) == ["7", "c2"]
    server.advance(0.1)
    assert polling(server) == ["7", "8", "9", "c1", "c2"]
    affected = ["controlid:8", "controlid:9", "servereye:c1"]
    assert deeds(tmp_path / "journal")[5:] == [
        *((device, "went-offline") for device in affected),
        *((device, "came-back") for device in affected),
    ]
    stop(server, fleet)


def test_nothing_while_silent(server: Counterpart) -> None:
    """A silent device says nothing of the work that it was doing, then or later."""
    fleet = fleet_of(server, "offline=1-1@20+10", controlid=["7"], servereye=[], work=15.0, timeout=1000.0)
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


def test_spread_return(server: Counterpart, tmp_path: Path) -> None:
    """A return that is spread brings the devices back one after the other."""
    fleet = fleet_of(server, "offline=1-3@1+1~10", servereye=[], timeout=1000.0)
    counts = set()
    server.advance(2)
    for _ in range(100):
        server.advance(0.1)
        counts.add(len(polling(server)))
    assert counts == {0, 1, 2, 3}
    stop(server, fleet)


def test_sign_off(server: Counterpart, tmp_path: Path) -> None:
    """A container says goodbye, is gone once that is answered, and comes back."""
    fleet = fleet_of(server, "signed-off=2@5+10", controlid=[], journal=tmp_path / "journal")
    server.advance(5)
    server.take("GET", "/push/c1/signoff").answer(b'{"success":true,"message":"bye"}')
    server.take("GET", "/push/c2/signoff")  # is not answered
    server.advance(2)
    assert polling(server) == []
    server.advance(8)
    assert polling(server) == ["c1", "c2"]
    assert deeds(tmp_path / "journal")[2:] == [
        ("servereye:c1", "signed-off"),
        ("servereye:c2", "signed-off"),
        ("servereye:c1", "came-back"),
        ("servereye:c2", "came-back"),
    ]
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert [line["answered"] for line in lines[2:4]] == [True, False]
    stop(server, fleet)


def test_sign_off_outlasts_absence(server: Counterpart) -> None:
    """A container that is still signing off when it should come back does so afterwards."""
    fleet = fleet_of(server, "signed-off=1@5+1", controlid=[], servereye=["c1"])
    server.advance(5)
    server.advance(1)
    assert "GET /push/c1/signoff" in server.waiting()
    server.advance(1)
    assert server.waiting() == ["GET /push/c1"]
    stop(server, fleet)


def test_flap(server: Counterpart) -> None:
    """A flapping device is gone and back again and again, and stays in the end."""
    fleet = fleet_of(server, "flapping=1-1@10+20/10", servereye=[], controlid=["7"], timeout=1000.0)
    seen = []
    for _ in range(9):
        server.advance(4.9)
        seen.append(len(polling(server)))
        server.advance(0.1)
    assert seen == [1, 1, 0, 1, 0, 1, 1, 1, 1]
    stop(server, fleet)


def test_stop_while_away(server: Counterpart) -> None:
    """A fleet that is stopped while some are silent leaves them silent, and nothing is left to happen."""
    fleet = fleet_of(server, "offline=4-5@5+60", "flapping=1@5+60/10", timeout=1000.0)
    server.advance(5)
    stopping = fleet.stopService()
    server.advance(0)
    assert stopping.called
    assert server.waiting() == []


def test_stop_while_signing_off(server: Counterpart) -> None:
    """A fleet that is stopped while a container signs off waits for that."""
    fleet = fleet_of(server, "signed-off=1@5+60", controlid=[], servereye=["c1"])
    server.advance(5)
    stopping = fleet.stopService()
    assert not stopping.called
    server.take("GET", "/push/c1/signoff").answer(b'{"success":true,"message":"bye"}')
    server.advance(0)
    assert stopping.called


def test_ramp(server: Counterpart) -> None:
    """Devices start one after the other, and those that have not are not started by a fleet that stops."""
    fleet = fleet_of(server, ramp=10.0, timeout=1000.0)
    counts = []
    for _ in range(4):
        counts.append(len(polling(server)))
        server.advance(2)
    assert counts == [1, 2, 3, 4]
    stop(server, fleet)
    server.advance(10)
    assert server.waiting() == []


def test_one_line_per_phase(server: Counterpart) -> None:
    """The log has a line for all that vanish or come back together."""
    with capturedLogs() as logged:
        fleet = fleet_of(server, "offline=1-5@5+5", timeout=1000.0)
        server.advance(5)
        server.advance(5)
    assert list(map(formatEvent, logged)) == [
        "5 devices start within 0.0 s",
        "offline=1-5@5+5: 5 devices went offline",
        "offline=1-5@5+5: 5 devices came back",
    ]
    stop(server, fleet)
