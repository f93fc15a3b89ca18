"""Tests of :mod:`pushd.lib.twisted_patches`: what each part relies on holds for the installed version of Twisted."""

import ast
import inspect
import os
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.abstract import FileDescriptor
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.tcp import Connection, Port, Server
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.basic import LineReceiver
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python import context
from twisted.python.failure import Failure
from twisted.python.log import ILogContext
from twisted.scripts._twistd_unix import UnixApplicationRunner
from twisted.web import http
from twisted.web.http import HTTPChannel
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import directlyProvides

from pushd.lib.twisted_patches import (
    EPOLL,
    CannotStart,
    ChannelRequest,
    DirectChannel,
    RequestHeaders,
    is_parsing,
    parse_lines,
    parse_request_line,
    report_daemon_errors_whole,
    request_line,
    share_name,
    skip_log_context,
    unparsed,
    use_monotonic_clock,
)

CHANNEL = ast.parse(textwrap.dedent(inspect.getsource(HTTPChannel)))
REQUEST_ATTRIBUTES = {name for name in vars(ChannelRequest) if not name.startswith("_")} | {"requestHeaders"}


@define(eq=False)
class SeenRequest(ChannelRequest):
    """A request that records what its channel knows once the headers are complete."""

    channel: HTTPChannel
    requestHeaders: RequestHeaders = field(factory=RequestHeaders)  # noqa: N815 - Twisted's name
    line: tuple[bytes, bytes] | None = None
    was_parsing: bool = False

    def gotLength(self, length: int | None) -> None:
        """Record the request line, and whether the channel says that it is parsing."""
        self.line = request_line(self.channel)
        self.was_parsing = is_parsing(self.channel)


directlyProvides(SeenRequest, INonQueuedRequestFactory)


@pytest.fixture
def channel() -> HTTPChannel:
    """Twisted's own channel, with a request that has no more than a channel calls."""
    made = HTTPChannel()
    made.requestFactory = SeenRequest  # type: ignore[assignment]
    made.makeConnection(StringTransport())
    return made


def test_data_received_only_resets_a_timer() -> None:
    """HTTPChannel's dataReceived does nothing beside parsing but reset the timeout, so it can be passed by."""
    assert HTTPChannel.dataReceived.__code__.co_names == ("resetTimeout", "basic", "LineReceiver", "dataReceived")


def test_unparsed_bytes(channel: HTTPChannel) -> None:
    """What a channel has received beyond the last whole line is unparsed."""
    parse_lines(channel, b"GET / HTTP/1.1\r\nHost: a")
    assert unparsed(channel) == b"Host: a"
    parse_lines(channel, b"\r\n")
    assert unparsed(channel) == b""


def test_request_line_is_known_with_the_headers(channel: HTTPChannel) -> None:
    """Before the body is there, the channel knows method and target, and headers came in their usual spelling."""
    parse_lines(channel, b"POST /a?b HTTP/1.1\r\nx-forwarded-FOR: c\r\ncontent-length: 3\r\n\r\n")
    (request,) = channel.requests
    assert isinstance(request, SeenRequest)
    assert request.line == (b"POST", b"/a?b")
    assert request.requestHeaders[b"X-Forwarded-For"] == [b"c"]
    assert request.was_parsing
    assert not is_parsing(channel)


@given(
    st.lists(
        st.binary(min_size=1, max_size=2) | st.sampled_from([b"GET", b" ", b"/push?a=b", b"HTTP/1.1", b"HTTP/1.0"])
    )
)
@example([b"GET /push HTTP/1.1"])
@example([b"GET /push HTTP/1.1\n"])
@example([b"M-SEARCH * HTTP/1.0"])
@example([b"GET /", bytes(range(0x21, 0xB1)), b" HTTP/1.1"])
@example([b"GET /\xb1 HTTP/1.1"])
@example([b"GET  HTTP/1.1"])
@example([b"GET / HTTP/1.10"])
def test_request_lines_are_read_as_by_twisted(parts: list[bytes]) -> None:
    """A request line is read, or refused, as Twisted does, which looks its function up by its name."""
    line = b"".join(parts)
    read: list[object] = []
    for parse in (http._parseRequestLine, parse_request_line):
        try:
            read.append(parse(line))
        except ValueError:
            read.append(None)
    assert read[0] == read[1]
    assert "_parseRequestLine" in HTTPChannel.lineReceived.__code__.co_names


def _attributes_of_requests(tree: ast.AST) -> Iterator[str]:
    """The attributes of requests that some code uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner = ast.unparse(node.value)
            if owner in ("request", "req", "self.requests[0]", "self.requests[-1]"):
                yield node.attr


def test_channel_calls_no_more_of_a_request() -> None:
    """Outside of checkPersistence, which is overridden, HTTPChannel uses no more than ChannelRequest has."""
    (body,) = [node for node in CHANNEL.body if isinstance(node, ast.ClassDef)]
    methods = [node for node in body.body if isinstance(node, ast.FunctionDef) and node.name != "checkPersistence"]
    assert {name for method in methods for name in _attributes_of_requests(method)} == REQUEST_ATTRIBUTES


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """A transport over a socket, and the other end of that; its reactor does nothing."""
    near, far = socket.socketpair()
    near.setblocking(False)
    transport = Connection(near, Protocol(), MemoryReactorClock())
    yield transport, far
    near.close()
    far.close()


def test_connection_lost_closes_the_socket(ends: tuple[Connection, socket.socket]) -> None:
    """The other end sees the connection closed at once, after all that was written."""
    transport, far = ends
    transport.socket.send(b"response")
    transport.connectionLost(connectionDone)
    assert far.recv(100) == b"response"
    assert far.recv(100) == b""


def test_accepted_connection_keeps_one_name(ends: tuple[Connection, socket.socket]) -> None:
    """The transport of an accepted connection has two names, of which one stands for both."""
    transport, far = ends
    accepted = Server(far, Protocol(), ("192.0.2.1", 40000), Port(0, ServerFactory()), 1, MemoryReactorClock())
    assert accepted.logstr != accepted.repstr
    for each in (accepted, transport):
        share_name(each)
    assert accepted.logPrefix() is repr(accepted)


def test_tls_is_no_file_descriptor() -> None:
    """A channel over TLS cannot be taken for one over a bare socket, to which it would write in clear text."""
    assert not issubclass(TLSMemoryBIOProtocol, FileDescriptor)


def test_timers_follow_the_monotonic_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer fires when the monotonic clock says so, and the wall clock has no say."""
    seconds = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: seconds)
    reactor = SelectReactor()
    use_monotonic_clock(reactor)
    fired: list[float] = []
    reactor.callLater(5, lambda: fired.append(reactor.seconds()))
    reactor.runUntilCurrent()
    assert (fired, reactor.timeout()) == ([], 5)
    seconds += 5
    reactor.runUntilCurrent()
    assert fired == [1005.0]


def test_channel_that_has_responded() -> None:
    """HTTPChannel's requestDone does nothing but what its override does."""
    overridden = HTTPChannel.requestDone.__code__.co_names
    assert set(overridden) - {"TypeError", "setLineMode"} <= set(DirectChannel.requestDone.__code__.co_names)
    assert LineReceiver.setLineMode.__code__.co_names == ("line_mode", "dataReceived")


class Selectable:
    """What an epoll reactor reads from; to read fails."""

    def __init__(self, end: socket.socket) -> None:
        self.fileno = end.fileno
        self.reason: Failure | None = None

    def doRead(self) -> None:
        """Check the context of the log."""
        assert context.get(ILogContext) == {"system": "-"}  # the default, without an event
        raise ConnectionAbortedError

    def connectionLost(self, reason: Failure) -> None:
        """Fail once more, which the reactor must survive."""
        self.reason = reason
        raise LookupError


def test_events_without_a_log_context(monkeypatch: pytest.MonkeyPatch, no_logged_failure: list[Failure]) -> None:
    """The epoll reactor calls what is ready without a log context; what that raises is logged, and nothing else."""
    epollreactor = pytest.importorskip(EPOLL)
    monkeypatch.setattr(epollreactor, "log", epollreactor.log)
    reactor = epollreactor.EPollReactor()
    skip_log_context(reactor)
    assert re.findall(r"\blog\.\w+", inspect.getsource(epollreactor)) == ["log.callWithLogger"]
    near, far = socket.socketpair()
    ready = Selectable(near)
    reactor.addReader(ready)
    far.close()
    reactor.doIteration(1)
    near.close()
    assert ready.reason is not None
    assert ready.reason.check(ConnectionAbortedError)
    assert [failure.type for failure in no_logged_failure] == [LookupError]
    no_logged_failure.clear()


RUNNING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # the parent may ignore SIGINT
from twisted.internet import reactor
from pushd.lib.twisted_patches import signal_handlers
def compare():
    print([number.name for number, handler in signal_handlers(reactor).items() if signal.getsignal(number) == handler])
    reactor.stop()
reactor.callWhenRunning(compare)
reactor.run()
"""


def test_signal_handlers_are_those_of_a_running_reactor() -> None:
    """A reactor that runs has installed these handlers."""
    done = subprocess.run([sys.executable, "-c", RUNNING], capture_output=True, text=True, check=True)
    assert done.stdout == "['SIGTERM', 'SIGINT']\n"


LONG_REASON = f"/{'long/' * 40}pushd.sqlite cannot be opened: file is not a database."


class FailingRunner(UnixApplicationRunner):
    """twistd, whose application cannot start."""

    def __init__(self, config: dict[str, Any], error: BaseException) -> None:
        self.config = config
        self.application = None
        self.error = error

    def startApplication(self, application: object) -> None:
        """Fail."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (CannotStart(LONG_REASON), f"1 pushd: {LONG_REASON}"),
        (SystemExit(1), ""),
    ],
)
def test_twistd_reports_that_a_daemon_cannot_start(
    tmp_path: Path, error: SystemExit, reported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twistd tells the parent of a daemon why it cannot start and removes the pidfile: for an Exception alone."""
    for name in ("_formatChildException", "_waitForStart"):
        monkeypatch.setattr(UnixApplicationRunner, name, getattr(UnixApplicationRunner, name))
    report_daemon_errors_whole()
    pidfile = tmp_path / "twistd.pid"
    pidfile.write_text("1")
    reading, writing = os.pipe()
    with pytest.raises(SystemExit) as ended:
        FailingRunner({"statusPipe": writing, "pidfile": str(pidfile)}, error).postApplication()
    if not reported:
        os.close(writing)
    assert ended.value.code == 1
    assert os.read(reading, 1000).decode() == reported
    assert pidfile.exists() == (not reported)
    os.close(reading)
