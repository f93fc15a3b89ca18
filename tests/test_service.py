"""Tests of :mod:`pushd.service`: what the server is made of."""

from pathlib import Path
from time import time

from twisted.internet.testing import MemoryReactorClock

from pushd.config import Config
from pushd.notifications.dead_mans_switch import DeadMansSwitch
from pushd.notifications.mail.notifier import MailNotifier
from pushd.periodic import PeriodicTask
from pushd.service import PushdService, build_service


def built(config: Config) -> PushdService:
    """A server that was built, and has not begun."""
    return build_service(config, MemoryReactorClock(), time)


def test_nobody_is_told_who_need_not_be(tmp_path: Path) -> None:
    """Without options for them there are neither mails nor a pulse."""
    parts = list(built(Config(data_dir=tmp_path)))
    assert not any(isinstance(part, MailNotifier) for part in parts)
    assert "pulse" not in {part.title for part in parts if isinstance(part, PeriodicTask)}


def test_pulse_is_withheld_when_any_round_or_the_postman_is_stuck(tmp_path: Path) -> None:
    """Whatever must make progress, so that somebody is told of a silence, keeps the pulse going; the pulse does
    not.
    """
    config = Config(
        data_dir=tmp_path,
        mail_to=("ops@example.org",),
        mail_from="pushd@example.org",
        heartbeat_url="http://monitor.test/",
    )
    parts = list(built(config))
    rounds = {part.title: part for part in parts if isinstance(part, PeriodicTask)}
    pulse = getattr(rounds.pop("pulse").work, "__self__", None)
    assert isinstance(pulse, DeadMansSwitch)
    assert pulse.parts.keys() == rounds.keys() | {"mails", "webhooks"}
    assert any(isinstance(part, MailNotifier) for part in parts)
