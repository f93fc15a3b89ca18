"""Tests of :mod:`pushd.service`: the parts of the server."""

from pathlib import Path
from time import time

from twisted.internet.testing import MemoryReactorClock

from pushd.config import Config
from pushd.notifications.dead_mans_switch import DeadMansSwitch
from pushd.notifications.mail.notifier import MailNotifier
from pushd.periodic import PeriodicTask
from pushd.service import PushdService, build_service


def built(config: Config) -> PushdService:
    """A server that was built, but not started."""
    return build_service(config, MemoryReactorClock(), time)


def test_mails_and_heartbeats_need_options(tmp_path: Path) -> None:
    """Without their options, the server sends neither mails nor heartbeats."""
    parts = list(built(Config(data_dir=tmp_path)))
    assert not any(isinstance(part, MailNotifier) for part in parts)
    assert "heartbeat" not in {part.title for part in parts if isinstance(part, PeriodicTask)}


def test_heartbeat_watches_every_task_that_alerts_need(tmp_path: Path) -> None:
    """The heartbeat depends on the progress of mails, webhooks and each periodic task but its own."""
    config = Config(
        data_dir=tmp_path,
        mail_to=("ops@example.org",),
        mail_from="pushd@example.org",
        heartbeat_url="http://monitor.test/",
    )
    parts = list(built(config))
    periodic = {part.title: part for part in parts if isinstance(part, PeriodicTask)}
    switch = getattr(periodic.pop("heartbeat").work, "__self__", None)
    assert isinstance(switch, DeadMansSwitch)
    assert switch.parts.keys() == periodic.keys() | {"mails", "webhooks"}
    assert any(isinstance(part, MailNotifier) for part in parts)
