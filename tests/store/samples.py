"""Values for tests of a store."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pushd.model.command import Draft, LargePayload, Payload, SendOptions
from pushd.model.device import Device
from pushd.model.facts import NO_FACTS, Facts
from pushd.model.large_text import LargeText, Text
from pushd.model.lifecycle import Delivery, Move
from pushd.model.result import DeviceResult, Verdict
from pushd.model.timestamps import Now
from pushd.store.filters import AlertFilter

WALL = 1_800_000_000_000
STEADY = 5_000_000

READER = "controlid:1"
OTHER_READER = "controlid:2"
UNREGISTERED = "controlid:9"

AT_LEAST_ONCE = Delivery.AT_LEAST_ONCE
CALLED = {"endpoint": "load_objects"}
"""What each event of a command has in its data that :func:`draft` made."""

LIMIT = 1000
"""As many commands as a test cares to queue."""

ALL_ALERTS = AlertFilter()
OPEN_ALERTS, CLEARED_ALERTS = AlertFilter(is_open=True), AlertFilter(is_open=False)

SUCCESS = Verdict(move=Move.SUCCEED)
FAILURE = Verdict(move=Move.FAIL, error="no such user")
GARBLED = Verdict(move=Move.GARBLE, error="unreadable result")


def at(seconds: float = 0.0) -> Now:
    """A time of a test, on both clocks."""
    passed = round(seconds * 1000)
    return Now(wall=WALL + passed, steady=STEADY + passed)


def wall(seconds: float = 0.0) -> int:
    """The same time on the wall clock alone."""
    return at(seconds).wall


def command_id(number: int) -> str:
    """The id of the command of this number, made at the time 0 of the test; ids ascend."""
    return f"{WALL >> 16:08x}-{WALL & 0xFFFF:04x}-7000-8000-{number:012d}"


def device(name: str = READER, /, **fields: Any) -> Device:
    """An approved device."""
    made: dict[str, Any] = {"dialect": name.partition(":")[0], "heartbeat_timeout": 120.0, "created_at": WALL}
    return Device(id=name, **(made | fields))


def draft(
    name: str = READER,
    payload: Payload | None = None,
    lease: float = 60.0,
    key: str | None = None,
    fingerprint: bytes | None = None,
    created_by: str = "admin",
    **terms: Any,
) -> Draft:
    """A command for a device."""
    return Draft(
        device=name,
        payload={"endpoint": "load_objects"} if payload is None else payload,
        endpoints="load_objects" if payload is None else payload.get("endpoint", ()),
        terms=SendOptions(**terms),
        lease=lease,
        created_by=created_by,
        idempotency_key=key,
        fingerprint=fingerprint,
    )


def large_payload(payload: Payload) -> LargePayload:
    """A payload as a large one, of which the text in capitals is sent."""
    text = json.dumps(payload)
    return LargePayload(
        LargeText.of(text.encode()),
        LargeText.of(text.upper().encode()),
        json.dumps({"endpoint": payload["endpoint"]}),
        payload["endpoint"],
    )


@frozen(kw_only=True)
class StubResult:
    """A device's result, as a dialect has read it."""

    message: str | None = None
    uuid: str | None = None
    endpoint: str | None = None
    verdict: Verdict = SUCCESS
    result: Text | None = '{"response":{}}'
    raw: bytes = b'{"response":{}}'
    size: int = 15
    parts: Mapping[int, DeviceResult] | None = None
    """What it says of each of several commands, by place; None: the same of all."""
    said: Facts = NO_FACTS
    """What the device says of itself."""

    def concerns(self, payload: Payload) -> bool:
        return self.endpoint in (None, payload["endpoint"])

    def judge(self, payload: Payload) -> Verdict:
        return self.verdict

    def facts(self, payload: Payload) -> Facts:
        return self.said

    def part(self, position: int) -> DeviceResult | None:
        return self if self.parts is None else self.parts.get(position)


def always_batchable(payload: Payload) -> bool:
    """Let any command be sent together with others."""
    return True


def by_message(number: int, verdict: Verdict = SUCCESS, result: Text | None = '{"success":true}') -> DeviceResult:
    """A result of the command of this number, by its id."""
    return StubResult(message=command_id(number), verdict=verdict, result=result)
