"""Tests of the checks: a sample run keeps all promises, and each change of it breaks a promise."""

from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tests.harness import command_promises, trace
from tests.harness.admin_api import Json
from tests.harness.receiver import Delivery, Outcome
from tests.harness.trace import build_traces
from tests.soak import promises
from tests.soak.config import SoakConfig
from tests.soak.observations import Observations, StreamRead, WebhookDeliveries
from tests.soak.process_monitor import Sample
from tests.soak.promises import PROMISES, check_promises, memory_growth

MIB = 1024 * 1024

CONFIG = SoakConfig(
    directory=Path("nowhere"),
    seed=1,
    devices=2,
    minutes=20,
    stop_seconds=5,
    devices_port=1,
    admin_port=2,
    smtp_port=3,
)
"""The warm-up is three minutes; its memory is compared from 180 to 480 and from 900 to 1200 seconds."""

DEVICE = "controlid:7"


def time_at(second: float) -> str:
    """The time so many seconds after the start."""
    return f"2026-01-01T00:{int(second) // 60:02}:{second % 60:06.3f}Z"


def sample(second: int, **fields: Any) -> Sample:
    """The server at a second, with 50 MiB of memory."""
    usual = {"resident": 70 * MIB, "anonymous": 50 * MIB, "descriptors": 30, "threads": 6, "cpu": 0.3}
    usual |= {"log_lines": second // 60, "database": MIB, "wal": MIB}
    return Sample(second=second, **usual | fields)


def samples(*changes: Sample) -> list[Sample]:
    """A sample for each second, some of them others."""
    changed = {change.second: change for change in changes}
    return [changed.get(second) or sample(second) for second in range(1210)]


def growing(mebibytes: int, start: int = 0) -> list[Sample]:
    """Samples of a server whose memory grows by so much in twenty minutes, from ``start`` on."""
    return [
        sample(second, anonymous=50 * MIB + mebibytes * MIB * max(second - start, 0) // 1200) for second in range(1210)
    ]


def delivery(event: Json, outcome: Outcome = Outcome.ACCEPTED) -> Delivery:
    """A request that delivers an event."""
    return Delivery(id=f"evt_{event['seq']}", event=event, is_signed=True, outcome=outcome)


def event(number: int, event_type: str) -> Json:
    """An event about the device."""
    return {"seq": f"e-{number}", "type": event_type, "at": time_at(number), "device": DEVICE, "command": None}


def mail(alert: str) -> EmailMessage:
    """A mail about an alert."""
    message = EmailMessage()
    message["Message-ID"] = f"<alert-{alert}.1@example.org>"
    return message


EVENTS = [event(21, "device.offline"), event(25, "alert.raised"), event(41, "device.online")]
ALERT: Json = {
    "id": "e-1",
    "kind": "offline",
    "devices": [DEVICE],
    "raised_at": time_at(25),
    "cleared_at": time_at(41),
}
WENT_OFFLINE: Json = {"time": time_at(10), "device": DEVICE, "did": "went-offline"}
CAME_BACK: Json = {"time": time_at(40), "device": DEVICE, "did": "came-back"}
COMMANDS = trace.Observations(devices=[WENT_OFFLINE, CAME_BACK], events=EVENTS)
WEBHOOK = WebhookDeliveries(types=frozenset(), parallel=1, deliveries=[delivery(each) for each in EVENTS])
STREAM = StreamRead(types=frozenset({"device.offline", "device.online"}), seqs=["e-21", "e-41"])

GOOD = Observations(
    commands=COMMANDS,
    samples=samples(),
    descriptors_before=20,
    descriptors_after=22,
    alerts=[ALERT],
    mails=[mail("e-1")],
    webhooks=[WEBHOOK],
    streams=[STREAM],
    stop_seconds=1.0,
)


def webhook(*deliveries: Delivery) -> Observations:
    """The good observations, with other deliveries."""
    return evolve(GOOD, webhooks=[evolve(WEBHOOK, deliveries=deliveries)])


def stream(*seqs: str) -> Observations:
    """The good observations, with another stream."""
    return evolve(GOOD, streams=[evolve(STREAM, seqs=seqs)])


def alerts(*found: Json) -> Observations:
    """The good observations, with other alerts."""
    return evolve(GOOD, alerts=found, mails=[mail(alert["id"]) for alert in found])


FIRST, SECOND, THIRD = WEBHOOK.deliveries

BAD: Sequence[tuple[str, Observations]] = [
    (promises.MEMORY, evolve(GOOD, samples=growing(20))),
    (promises.DESCRIPTORS_RETURN, evolve(GOOD, descriptors_after=40)),
    (promises.THREADS_BOUNDED, evolve(GOOD, samples=samples(sample(700, threads=60)))),
    (promises.LOG_BOUNDED, evolve(GOOD, samples=[sample(second, log_lines=second) for second in range(1210)])),
    (promises.WAL_BOUNDED, evolve(GOOD, samples=samples(sample(700, wal=200 * MIB)))),
    (promises.READY, evolve(GOOD, not_ready=["it answered 503"])),
    (promises.HOSTILE, evolve(GOOD, hostile_faults=["garbage: answered with 500"])),
    (promises.DELIVERED, webhook(FIRST, SECOND)),
    (promises.DELIVERED, webhook(FIRST, SECOND, delivery(EVENTS[2], Outcome.REFUSED))),
    (promises.DELIVERED, webhook(FIRST, THIRD, SECOND)),
    (promises.STREAMED, stream("e-41")),
    (promises.STREAMED, stream("e-21", "e-21", "e-41")),
    (promises.STREAMED, stream("e-21", "e-41", "e-42")),
    (promises.ALERTS, alerts()),
    (promises.ALERTS, alerts(ALERT, ALERT | {"id": "e-2", "devices": ["controlid:8"]})),
    (promises.ALERTS, alerts(ALERT | {"raised_at": time_at(50)})),
    (promises.ALERTS, alerts(ALERT | {"cleared_at": None})),
    (promises.ALERTS, alerts(ALERT, {"id": "e-2", "kind": "webhook", "devices": [], "raised_at": time_at(50)})),
    (promises.MAILED, evolve(GOOD, mails=[])),
    (promises.MAILED, evolve(GOOD, mails=[mail("e-1"), mail("e-2")])),
    (promises.STOPPED, evolve(GOOD, stop_seconds=6.0)),
]


def broken(observations: Observations) -> set[str]:
    """The promises that were broken."""
    traces = build_traces(observations.commands)
    return {each.promise for each in check_promises(CONFIG, observations, traces)}


def test_kept() -> None:
    """A run in which nothing grows, and a device that was away was alerted, breaks no promise."""
    assert broken(GOOD) == set()


@pytest.mark.parametrize(("promise", "observations"), BAD)
def test_broken(promise: str, observations: Observations) -> None:
    """Observations that break a promise are found, and break no other one."""
    assert broken(observations) == {promise}


def test_each_can_be_broken() -> None:
    """Every promise that is not about commands is broken by some observations."""
    assert {promise for promise, _ in BAD} == set(PROMISES) - set(command_promises.PROMISES)


def test_memory_may_grow_during_the_warm_up() -> None:
    """What the server takes in its first minutes is no growth, nor is a peak; a slow leak is."""
    warm = [sample(second, anonymous=min(second, 180) * MIB) for second in range(1210)]
    assert memory_growth(CONFIG, warm).bytes == 0
    assert memory_growth(CONFIG, samples(sample(1000, anonymous=500 * MIB))).bytes == 0
    assert memory_growth(CONFIG, growing(20)).bytes == 12 * MIB


def test_a_server_that_failed() -> None:
    """Of a server that has exited by itself only that is reported, not what could not be measured."""
    commands = trace.Observations(failures=["The server exited by itself."], has_final_state=False)
    assert broken(Observations(commands=commands, samples=[])) == {"the server does not fail by itself"}
