"""Tests of what ``pushctl doctor`` finds about one device."""

from typing import Any

import pytest

from pushd.pushctl.doctor.device import DeviceReport, examine_device
from pushd.pushctl.doctor.findings import Status

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""

SECONDS_AGO, HOURS_AGO = "2027-01-15T07:59:50.000Z", "2027-01-15T06:00:00.000Z"

READER = {
    "id": "controlid:7",
    "admission": "approved",
    "presence": "online",
    "polling": True,
    "last_seen_at": SECONDS_AGO,
    "last_address": "192.0.2.1",
    "heartbeat_timeout": 120.0,
    "poll_gap": 1.0,
    "hold": None,
    "learned_hold": None,
    "proof": ["secret"],
}
"""A device with which nothing is wrong."""

AWAY = {"polling": False, "presence": "offline", "last_seen_at": HOURS_AGO}

REJECTION = {
    "reason": "wrong_proof",
    "address": "198.51.100.7",
    "last_at": "2027-01-15T07:59:55.000Z",
    "remedy": "Do this.",
}


def facts(
    *, found: dict[str, Any] | None = READER, rejections: tuple[dict[str, Any], ...] = (), requires_proof: bool = False
) -> DeviceReport:
    """What is known of a device."""
    return DeviceReport(id="controlid:7", found=found, rejections=rejections, requires_proof=requires_proof, now=NOW)


@pytest.mark.parametrize(
    ("changes", "status", "detail", "step"),
    [
        ({}, Status.OK, "is served: its poll is held, and reconnects within 1 s", None),
        ({"polling": False}, Status.OK, "is served: it was seen 10 s ago", None),
        ({"admission": "blocked"}, Status.WRONG, "is blocked", "pushctl approve controlid:7 --unblock"),
        ({"admission": "pending"}, Status.WRONG, "is pending", "pushctl approve controlid:7"),
        ({"last_seen_at": None, "polling": False}, Status.WRONG, "has never polled", "Set the address"),
        (
            AWAY,
            Status.WRONG,
            "is offline: last seen at 2027-01-15 06:00:00.000+00:00, from 192.0.2.1; its heartbeat timeout is 2 min",
            "power and network",
        ),
        ({**AWAY, "presence": "signed_off"}, Status.WRONG, "signed off on purpose, at 2027-01-15 06", "Start the"),
        ({"poll_gap": 60.0}, Status.WARNING, "not connected for 60 s", "push_request_period of the device to 1"),
        ({"learned_hold": 3.2}, Status.WARNING, "to hold them for 3.2 s only", "push_request_timeout"),
        ({"learned_hold": 3.2, "hold": 3.0}, Status.OK, "is served", None),
        ({"proof": []}, Status.WARNING, "no proof of identity", "pushctl provision controlid:7"),
    ],
)
def test_findings(changes: dict[str, Any], status: Status, detail: str, step: str | None) -> None:
    """Whatever is wrong with a device is said in a sentence, with the next step."""
    finding = examine_device(facts(found={**READER, **changes}))
    assert finding.status is status
    assert detail in finding.detail
    assert (finding.next_step is None) if step is None else (step in str(finding.next_step))


def test_unknown_device() -> None:
    """A device that the server does not know has two possible reasons: the address, or the network."""
    finding = examine_device(facts(found=None))
    assert finding.status is Status.WRONG
    assert "never polled this server" in finding.detail


def test_required_proof() -> None:
    """If the server demands a proof, a device without one gets no commands."""
    finding = examine_device(facts(found={**READER, "proof": []}, requires_proof=True))
    assert finding.status is Status.WRONG
    assert "--require-proof" in finding.detail
    assert examine_device(facts(requires_proof=True)).status is Status.OK


@pytest.mark.parametrize("found", [None, {**READER, **AWAY}, {**READER, "last_seen_at": None, "polling": False}])
def test_refused_device(found: dict[str, Any] | None) -> None:
    """A device that is refused now, known or not, has the reason, the address, and the remedy of the rejection."""
    finding = examine_device(facts(found=found, rejections=(REJECTION,)))
    assert finding.status is Status.WRONG
    assert "controlid:7 is refused: wrong_proof from 198.51.100.7, 5 s ago" in finding.detail
    assert finding.next_step == "Do this."


@pytest.mark.parametrize("changes", [{}, {"polling": False}, {"last_seen_at": HOURS_AGO}])
def test_other_client_is_refused(changes: dict[str, Any]) -> None:
    """If the device is served, a rejection is of another client that claims to be it: a warning."""
    finding = examine_device(facts(found={**READER, **changes}, rejections=(REJECTION,)))
    assert finding.status is Status.WARNING
    assert "a client that claims to be it is refused: wrong_proof from 198.51.100.7" in finding.detail


def test_old_rejection_does_not_matter() -> None:
    """What was refused before the device was seen last is over."""
    old = {**REJECTION, "last_at": "2027-01-15T07:59:40.000Z"}
    assert examine_device(facts(rejections=(old,))).status is Status.OK


def test_garbage() -> None:
    """Fields that are missing or of another type, as of another version of the server, are no error."""
    nonsense = dict.fromkeys(READER, "?")
    for found in ({}, nonsense, dict.fromkeys(READER)):
        assert examine_device(facts(found=found, rejections=({},))).detail
