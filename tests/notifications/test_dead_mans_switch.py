"""Tests of :mod:`pushd.notifications.dead_mans_switch`."""

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

from pushd.notifications.dead_mans_switch import STUCK_AFTER, TIMEOUT, DeadMansSwitch, build_switch
from tests.hostile_server import HEADERS, HostileServer, reactor_in_use

URL = "http://monitor.test/ping/s3cret?x=1"
TOO_LARGE = "the headers of the response are larger than 65536 bytes"
RECOVERED = "Dead man's switch: requests succeed again"


@define(eq=False)
class Monitor:
    """An external monitor, and the switch that pings it."""

    clock: Clock
    status: int = 200
    hangs: bool = False
    requests: list[str] = field(factory=list)
    """The paths that were requested."""
    stuck: dict[str, float] = field(factory=dict)
    """For how many seconds each part has made no progress."""
    unowned: list[str] = field(factory=list)
    """What no process delivers."""
    switch: DeadMansSwitch = field(init=False)
    _treq: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._treq = StubTreq(_MonitorResource(self))
        parts = {name: self._is_stuck(name) for name in ("sweep", "mails")}
        self.switch = DeadMansSwitch(URL, cast(HTTPClient, self._treq), self.clock, parts, self._unowned)

    def ping(self) -> None:
        """Send a heartbeat, and let it time out if there is no response."""
        pinging = Deferred.fromCoroutine(self.switch.ping())
        self._treq.flush()
        self.clock.advance(TIMEOUT)
        assert pinging.called

    async def _unowned(self, seconds: float) -> Sequence[str]:
        assert seconds == STUCK_AFTER
        return self.unowned

    def _is_stuck(self, name: str) -> Any:
        return lambda seconds: self.stuck.get(name, 0) > seconds


class _MonitorResource(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, monitor: Monitor) -> None:
        super().__init__()
        self._monitor = monitor

    def render_GET(self, request: Request) -> bytes | int:
        self._monitor.requests.append(request.uri.decode())
        request.setResponseCode(self._monitor.status)
        return NOT_DONE_YET if self._monitor.hangs else b"thanks " * 100


@pytest.fixture
def monitor(clock: Clock) -> Monitor:
    """A monitor that works."""
    return Monitor(clock)


@pytest.fixture
def logged() -> Iterator[Sequence[LogEvent]]:
    """What is logged."""
    with capturedLogs() as events:
        yield events


def lines(events: Sequence[LogEvent]) -> list[str]:
    """The log lines of pushd."""
    return [formatEvent(event) for event in events if event["log_namespace"].startswith("pushd.")]


def test_monitor_is_pinged_while_all_parts_make_progress(monitor: Monitor, logged: Sequence[LogEvent]) -> None:
    """Each heartbeat is one request, and nothing is logged."""
    monitor.ping()
    monitor.ping()
    assert monitor.requests == ["/ping/s3cret?x=1"] * 2
    assert lines(logged) == []


def test_no_heartbeat_while_a_part_is_stuck(monitor: Monitor, logged: Sequence[LogEvent]) -> None:
    """While a part makes no progress the monitor gets no request; the log names the part, once."""
    monitor.ping()
    monitor.stuck = {"sweep": STUCK_AFTER, "mails": STUCK_AFTER + 1}
    monitor.ping()
    monitor.ping()
    monitor.stuck["sweep"] = STUCK_AFTER + 1
    monitor.ping()
    monitor.stuck.clear()
    monitor.ping()
    assert len(monitor.requests) == 2
    assert lines(logged) == [
        "Dead man's switch: request not sent: no progress in mails",
        "Dead man's switch: request not sent: no progress in sweep, mails",
        RECOVERED,
    ]


def test_no_heartbeat_while_no_process_delivers(monitor: Monitor, logged: Sequence[LogEvent]) -> None:
    """While something due is owned by no process the monitor gets no request; the log names it, once."""
    monitor.unowned = ["webhook 1", "mails"]
    monitor.ping()
    monitor.ping()
    monitor.unowned = []
    monitor.ping()
    assert len(monitor.requests) == 1
    assert lines(logged) == ["Dead man's switch: request not sent: no process delivers webhook 1, mails", RECOVERED]


@pytest.mark.parametrize(
    ("problem", "reason"),
    [({"status": 500}, "the response was 500"), ({"hangs": True}, f"no response within {TIMEOUT:g} s")],
)
def test_monitor_that_fails_is_logged_once(
    monitor: Monitor, logged: Sequence[LogEvent], problem: dict[str, Any], reason: str
) -> None:
    """A monitor that fails is logged once, without its URL, which may be a secret; it is requested every time."""
    for name, value in problem.items():
        setattr(monitor, name, value)
    monitor.ping()
    monitor.ping()
    monitor.status, monitor.hangs = 204, False
    monitor.ping()
    assert len(monitor.requests) == 3
    assert lines(logged) == [f"Dead man's switch: request failed, will retry: {reason}", RECOVERED]
    assert "s3cret" not in f"{logged} {monitor.switch}"


async def test_heartbeat_over_a_real_socket(logged: Sequence[LogEvent]) -> None:
    """A heartbeat is an HTTP request; if nothing listens at the URL, that is logged and nothing else happens."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    monitor = Monitor(Clock())
    listening = reactor.listenTCP(0, Site(_MonitorResource(monitor)), interface="127.0.0.1")
    url = f"http://127.0.0.1:{listening.getHost().port}/ping"
    switch = DeadMansSwitch(url, HTTPClient(Agent(reactor)), reactor, {}, monitor._unowned)
    await switch.ping()
    assert monitor.requests == ["/ping"]
    await listening.stopListening()
    await switch.ping()
    (line,) = lines(logged)
    assert "refused" in line


async def test_endless_headers(logged: Sequence[LogEvent]) -> None:
    """A monitor that sends headers without an end has not received the heartbeat, and is disconnected."""
    monitor = HostileServer(b"HTTP/1.1 200 OK\r\n", HEADERS)
    with monitor.running() as url:
        await build_switch(url, {}, Monitor(Clock())._unowned, reactor_in_use()).ping()
        await monitor.wait_closed()
    assert lines(logged) == [f"Dead man's switch: request failed, will retry: {TOO_LARGE}"]
