"""Tests of :mod:`pushd.notifications.dead_mans_switch`: whether an outside monitor hears that all is well."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from attrs import define, field
from treq.client import HTTPClient
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.web.client import Agent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from pushd.notifications.dead_mans_switch import PATIENCE, STUCK, DeadMansSwitch

URL = "http://monitor.test/ping/s3cret?x=1"


@define(eq=False)
class Monitor:
    """What notices when nothing is heard any more, and a server that it watches."""

    clock: Clock
    status: int = 200
    mute: bool = False
    heard: list[str] = field(factory=list)
    stuck: dict[str, float] = field(factory=dict)
    """For how many seconds each part has made no progress."""
    pulse: DeadMansSwitch = field(init=False)
    _treq: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._treq = StubTreq(_Heard(self))
        parts = {name: self._is_stuck(name) for name in ("sweep", "mails")}
        self.pulse = DeadMansSwitch(URL, cast(HTTPClient, self._treq), self.clock, parts)

    def beat(self) -> None:
        """One beat, with as much patience as it has."""
        beating = Deferred.fromCoroutine(self.pulse.beat())
        self._treq.flush()
        self.clock.advance(PATIENCE)
        assert beating.called

    def _is_stuck(self, name: str) -> Any:
        return lambda seconds: self.stuck.get(name, 0) > seconds


class _Heard(Resource):
    isLeaf = True  # noqa: N815 - Twisted's way

    def __init__(self, monitor: Monitor) -> None:
        super().__init__()
        self._monitor = monitor

    def render_GET(self, request: Request) -> bytes | int:
        self._monitor.heard.append(request.uri.decode())
        request.setResponseCode(self._monitor.status)
        return NOT_DONE_YET if self._monitor.mute else b"heard " * 100


@pytest.fixture
def monitor(clock: Clock) -> Monitor:
    """A monitor of a server that is well."""
    return Monitor(clock)


@pytest.fixture
def told() -> Iterator[Sequence[LogEvent]]:
    """What is logged."""
    with capturedLogs() as events:
        yield events


def words(events: Sequence[LogEvent]) -> list[str]:
    """What was logged of the pulse, in words."""
    return [formatEvent(event) for event in events if event["log_namespace"].startswith("pushd.")]


def test_pulse_is_heard_while_all_is_well(monitor: Monitor, told: Sequence[LogEvent]) -> None:
    """Each beat is one request, and nothing is said of it."""
    monitor.beat()
    monitor.beat()
    assert monitor.heard == ["/ping/s3cret?x=1"] * 2
    assert words(told) == []


def test_pulse_ends_when_a_part_is_stuck(monitor: Monitor, told: Sequence[LogEvent]) -> None:
    """While a part makes no progress, the monitor hears nothing; which one it is, is logged once."""
    monitor.stuck["mails"] = STUCK
    monitor.beat()
    monitor.stuck["mails"] = STUCK + 1
    monitor.beat()
    monitor.beat()
    monitor.stuck["sweep"] = STUCK + 1
    monitor.beat()
    monitor.stuck.clear()
    monitor.beat()
    assert len(monitor.heard) == 2
    assert words(told) == [
        "The pulse was withheld, for there is no progress: mails",
        "The pulse was withheld, for there is no progress: sweep, mails",
        "The pulse is heard again",
    ]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [({"status": 500}, "the answer was 500"), ({"mute": True}, f"no answer within {PATIENCE:g} s")],
)
def test_monitor_that_does_not_hear_is_logged_once(
    monitor: Monitor, told: Sequence[LogEvent], trouble: dict[str, Any], said: str
) -> None:
    """A monitor that is out of order is logged once, without its URL, which may be a secret; it is tried each time."""
    for name, value in trouble.items():
        setattr(monitor, name, value)
    monitor.beat()
    monitor.beat()
    monitor.status, monitor.mute = 204, False
    monitor.beat()
    assert len(monitor.heard) == 3
    assert words(told) == [f"The pulse was not heard: {said}", "The pulse is heard again"]
    assert "s3cret" not in f"{told} {monitor.pulse}"


async def test_pulse_over_a_real_socket(told: Sequence[LogEvent]) -> None:
    """The pulse is an HTTP request; where nobody listens it is not heard, and that is all."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    monitor = Monitor(Clock())
    listening = reactor.listenTCP(0, Site(_Heard(monitor)), interface="127.0.0.1")
    url = f"http://127.0.0.1:{listening.getHost().port}/ping"
    pulse = DeadMansSwitch(url, HTTPClient(Agent(reactor)), reactor, {})
    await pulse.beat()
    assert monitor.heard == ["/ping"]
    await listening.stopListening()
    await pulse.beat()
    (said,) = words(told)
    assert "refused" in said
