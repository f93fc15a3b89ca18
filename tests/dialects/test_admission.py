"""Tests of who is served on the device port, in both dialects."""

import pytest

from pushd.core.devices.admission import AdmissionMode
from tests.connection import Connection
from tests.dialects.speakers import Speaker
from tests.in_memory_server import BuildHouse, InMemoryServer

WAYS = ["closed", "blocked", "not-in-network", "no-secret", "another's-secret"]


@pytest.fixture
def approving(build_house: BuildHouse) -> InMemoryServer:
    """A house in which an operator approves devices."""
    return build_house(admission=AdmissionMode.APPROVE, max_pending=2)


def is_idle(poll: Connection, speaker: Speaker) -> bool:
    """Whether a poll was answered, with nothing."""
    answer = poll.answer()
    return (answer.code, answer.body) == (200, speaker.idle)


def test_stranger_is_pending(approving: InMemoryServer, speaker: Speaker) -> None:
    """A device that nobody knows is recorded, and held like any other, so that it does not hammer."""
    poll = approving.device_request(speaker.poll())
    assert approving.seen(speaker.device)["admission"] == "pending"
    assert approving.events(speaker.device)[0] == "device.pending"
    approving.clock.advance(speaker.hold - 0.1)
    assert poll.answers() == []
    approving.clock.advance(0.1)
    assert is_idle(poll, speaker)


def test_pending_device_is_handed_nothing(approving: InMemoryServer, speaker: Speaker) -> None:
    """A command for a pending device is queued, and stays so."""
    poll = approving.device_request(speaker.poll())
    command = approving.put(speaker.device, speaker.payload)
    approving.clock.advance(speaker.hold)
    assert is_idle(poll, speaker)
    assert approving.command(command)["state"] == "queued"


def test_approval_rings_the_held_poll(approving: InMemoryServer, speaker: Speaker) -> None:
    """An approval brings a device what was queued for it, on the poll that it holds."""
    poll = approving.device_request(speaker.poll())
    command = approving.put(speaker.device, speaker.payload)
    assert poll.answers() == []
    assert approving.ask(f"PATCH /v1/devices/{speaker.device}", {"admission": "approved"}).code == 200
    assert poll.answer().body not in (b"", speaker.idle)
    assert approving.command(command)["state"] == "sent"


def test_result_of_a_pending_device(approving: InMemoryServer, speaker: Speaker) -> None:
    """A pending device is answered like any other, but its results are kept nowhere."""
    approving.device_request(speaker.poll())
    assert approving.device_request(speaker.result("x")).answer().code == 200
    assert approving.orphans(speaker.device) == []


def test_result_of_a_stranger(approving: InMemoryServer, speaker: Speaker) -> None:
    """A result of a device that nobody knows is answered like any other, and makes it no better known."""
    assert approving.device_request(speaker.result("x")).answer().code == 200
    assert approving.ask(f"GET /v1/devices/{speaker.device}").code == 404


def test_too_many_strangers(approving: InMemoryServer, speaker: Speaker) -> None:
    """Beyond the limit strangers are held and answered idle, counted, and not recorded."""
    for name in ("controlid:11", "controlid:12"):
        approving.register(name, admission="pending")
    poll = approving.device_request(speaker.poll())
    assert approving.ask(f"GET /v1/devices/{speaker.device}").code == 404
    approving.clock.advance(speaker.hold - 0.1)
    assert poll.answers() == []
    approving.clock.advance(0.1)
    assert is_idle(poll, speaker)
    assert approving.core.device_service.admission_policy.polls_over_limit == 1


def test_approval_makes_room(approving: InMemoryServer, speaker: Speaker) -> None:
    """A stranger that was turned away is recorded once another one was approved or forgotten."""
    for name in ("controlid:11", "controlid:12"):
        approving.register(name, admission="pending")
    approving.ask("DELETE /v1/devices/controlid:11")
    approving.device_request(speaker.poll())
    assert approving.seen(speaker.device)["admission"] == "pending"


def test_open_house(server: InMemoryServer, speaker: Speaker) -> None:
    """Where admission is open a device is approved by its first poll."""
    poll = server.device_request(speaker.poll())
    assert server.seen(speaker.device)["admission"] == "approved"
    server.put(speaker.device, speaker.payload)
    assert poll.answer().body not in (b"", speaker.idle)


def refusing(build_house: BuildHouse, speaker: Speaker, way: str) -> tuple[InMemoryServer, str]:
    """A house that refuses this device, and what the device puts in front of its path."""
    server = build_house(admission=AdmissionMode.CLOSED if way == "closed" else AdmissionMode.OPEN)
    if way == "blocked":
        server.register(speaker.device, admission="blocked")
    elif way == "not-in-network":
        server.register(speaker.device, allow_from=["198.51.100.0/24"])
    elif way == "no-secret":
        server.register(speaker.device)
        server.ask(f"POST /v1/devices/{speaker.device}/secret")
    elif way == "another's-secret":
        server.register("controlid:99")
        return server, str(server.ask("POST /v1/devices/controlid:99/secret").json["path"])
    return server, ""


@pytest.mark.parametrize("way", WAYS)
def test_refusals_are_slow(build_house: BuildHouse, speaker: Speaker, way: str) -> None:
    """A poll that is refused is answered after 5 s, in the manner of its dialect; its device is not seen."""
    server, before = refusing(build_house, speaker, way)
    poll = server.device_request(speaker.poll(before))
    server.clock.advance(4.9)
    assert poll.answers() == []
    server.clock.advance(0.1)
    answer = poll.answer()
    code, part = speaker.refusal
    assert answer.code == code
    assert part in answer.body
    assert b'"data"' not in answer.body
    assert server.ask(f"GET /v1/devices/{speaker.device}").json.get("presence", "never_seen") == "never_seen"


@pytest.mark.parametrize("way", WAYS)
def test_refused_device_may_leave(build_house: BuildHouse, speaker: Speaker, way: str) -> None:
    """A device that does not wait for its refusal leaves nothing behind."""
    server, before = refusing(build_house, speaker, way)
    timers = len(server.clock.getDelayedCalls())
    server.device_request(speaker.poll(before)).hang_up()
    assert len(server.clock.getDelayedCalls()) == timers


REFUSALS = {
    "blocked": ("PATCH", "", {"admission": "blocked"}),
    "not-in-network": ("PATCH", "", {"allow_from": ["198.51.100.0/24"]}),
    "no-secret": ("POST", "/secret", None),
}


@pytest.mark.parametrize("way", REFUSALS)
def test_refused_result_settles_nothing(server: InMemoryServer, speaker: Speaker, way: str) -> None:
    """A device that is refused cannot settle what was sent to it before."""
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    server.device_request(speaker.poll())
    method, call, body = REFUSALS[way]
    server.ask(f"{method} /v1/devices/{speaker.device}{call}", body)
    answer = server.device_request(speaker.result(command)).answer()
    assert answer.code == speaker.refusal[0]
    assert speaker.refusal[1] in answer.body
    assert server.command(command)["state"] == "sent"
    assert server.orphans(speaker.device) == []


def test_secret_path(build_house: BuildHouse, speaker: Speaker) -> None:
    """Below its secret a device is served, whatever the slashes."""
    server = build_house()
    server.register(speaker.device)
    path = server.ask(f"POST /v1/devices/{speaker.device}/secret").json["path"]
    command = server.put(speaker.device, speaker.payload)
    assert server.device_request(speaker.poll(f"/{path}/")).answer().code == 200
    assert server.command(command)["state"] == "sent"
    server.device_request(speaker.result(command, None, path))
    assert server.command(command)["state"] == "succeeded"
    assert server.seen(speaker.device)["proof"] == ["secret"]


def test_network(server: InMemoryServer, speaker: Speaker) -> None:
    """A device with networks is served from within them."""
    server.register(speaker.device, allow_from=["198.51.100.0/24", "2001:db8::/32"])
    server.put(speaker.device, speaker.payload)
    poll = server.device_request(speaker.poll(), peer="198.51.100.7")
    assert poll.answer().body not in (b"", speaker.idle)


def test_all_proofs_are_wanted(server: InMemoryServer, speaker: Speaker) -> None:
    """A device that has several proofs must satisfy all of them."""
    server.register(speaker.device, allow_from=["198.51.100.0/24"])
    path = server.ask(f"POST /v1/devices/{speaker.device}/secret").json["path"]
    command = server.put(speaker.device, speaker.payload)
    for before, peer in (("", "198.51.100.7"), (path, "192.0.2.1")):
        poll = server.device_request(speaker.poll(before), peer=peer)
        server.clock.advance(5)
        assert poll.answer().code == speaker.refusal[0]
    assert server.command(command)["state"] == "queued"
    assert server.device_request(speaker.poll(path), peer="198.51.100.7").answer().code == 200
    assert server.command(command)["state"] == "sent"


def test_proof_required_of_all(build_house: BuildHouse, speaker: Speaker) -> None:
    """Where proof is required, a device without any is held and handed nothing; with one it is served."""
    server = build_house(require_proof=True)
    server.register(speaker.device)
    command = server.put(speaker.device, speaker.payload)
    poll = server.device_request(speaker.poll())
    server.clock.advance(speaker.hold)
    assert is_idle(poll, speaker)
    assert server.command(command)["state"] == "queued"
    path = server.ask(f"POST /v1/devices/{speaker.device}/secret").json["path"]
    server.device_request(speaker.poll(path))
    assert server.command(command)["state"] == "sent"
