"""Tests of :mod:`pushd.service`: the parts of the server."""

from pathlib import Path
from time import time

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent

from pushd.config import Config
from pushd.notifications.dead_mans_switch import DeadMansSwitch
from pushd.notifications.mail.notifier import MailNotifier
from pushd.notifications.mail.recipients import Recipient
from pushd.periodic import PeriodicTask
from pushd.service import STOP_SECONDS, PushdService, build_service


def built(config: Config) -> PushdService:
    """A server that was built, but not started."""
    return build_service(config, MemoryReactorClock(), time)


class Stuck(Service):
    """A part of the server that never stops."""

    def stopService(self) -> Deferred[None]:
        """Begin to stop."""
        return Deferred(lambda stopping: stopping.callback(None))


def test_a_part_that_never_stops_delays_the_stop_by_seconds(tmp_path: Path) -> None:
    """The stop waits three seconds for its parts, then ends without them, and logs that."""
    reactor = MemoryReactorClock()
    service = build_service(Config(data_dir=tmp_path, devices=(), admin=()), reactor, time)
    Stuck().setServiceParent(service)
    stopped = service.stopService()
    done: list[object] = []
    stopped.addCallback(done.append)
    reactor.advance(STOP_SECONDS - 0.1)
    assert done == []
    with capturedLogs() as logged:
        reactor.advance(0.1)
    assert done == [None]
    assert [formatEvent(event)[:19] for event in logged] == ["Shutdown incomplete"]


def test_mails_and_heartbeats_need_options(tmp_path: Path) -> None:
    """Without their options, the server sends neither mails nor heartbeats."""
    parts = list(built(Config(data_dir=tmp_path)))
    assert not any(isinstance(part, MailNotifier) for part in parts)
    assert "heartbeat" not in {part.title for part in parts if isinstance(part, PeriodicTask)}


def test_heartbeat_watches_every_task_that_alerts_need(tmp_path: Path) -> None:
    """The heartbeat depends on the progress of mails, webhooks and each periodic task but its own."""
    config = Config(
        data_dir=tmp_path,
        mail_to=(Recipient(address="ops@example.org"),),
        mail_from="pushd@example.org",
        heartbeat_url="http://monitor.test/",
    )
    parts = list(built(config))
    periodic = {part.title: part for part in parts if isinstance(part, PeriodicTask)}
    switch = getattr(periodic.pop("heartbeat").work, "__self__", None)
    assert isinstance(switch, DeadMansSwitch)
    assert switch.parts.keys() == periodic.keys() | {"mails", "webhooks"}
    assert any(isinstance(part, MailNotifier) for part in parts)
