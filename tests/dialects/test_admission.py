"""Tests of admission and authentication on the device port, in both dialects."""

import pytest

from pushd.core.devices.admission import AdmissionMode
from tests.connection import Connection
from tests.dialects.dialect_devices import DialectDevice
from tests.in_memory_server import BuildServer, InMemoryServer

REASONS = ["closed", "blocked", "not-in-network", "no-secret", "another's-secret"]


@pytest.fixture
def approving(build_server: BuildServer) -> InMemoryServer:
    """A server on which an operator approves devices."""
    return build_server(admission=AdmissionMode.APPROVE, max_pending=2)


def is_idle(poll: Connection, device: DialectDevice) -> bool:
    """Whether a poll has got the idle response."""
    answer = poll.answer()
    return (answer.code, answer.body) == (200, device.idle)


def test_unknown_device_is_pending(approving: InMemoryServer, device: DialectDevice) -> None:
    """An unknown device is recorded as pending, and its poll is held, so that it does not poll in a tight loop."""
    poll = approving.device_request(device.poll())
    assert approving.device(device.id)["admission"] == "pending"
    assert approving.events(device.id)[0] == "device.pending"
    approving.clock.advance(device.hold - 0.1)
    assert poll.answers() == []
    approving.clock.advance(0.1)
    assert is_idle(poll, device)


def test_pending_device_gets_no_commands(approving: InMemoryServer, device: DialectDevice) -> None:
    """A command for a pending device stays queued."""
    poll = approving.device_request(device.poll())
    command = approving.put(device.id, device.payload)
    approving.clock.advance(device.hold)
    assert is_idle(poll, device)
    assert approving.command(command)["state"] == "queued"


def test_approval_wakes_the_held_poll(approving: InMemoryServer, device: DialectDevice) -> None:
    """When a device is approved, its held poll gets the command that was queued for it."""
    poll = approving.device_request(device.poll())
    command = approving.put(device.id, device.payload)
    assert poll.answers() == []
    assert approving.ask(f"PATCH /v1/devices/{device.id}", {"admission": "approved"}).code == 200
    assert poll.answer().body not in (b"", device.idle)
    assert approving.command(command)["state"] == "sent"


def test_result_of_a_pending_device(approving: InMemoryServer, device: DialectDevice) -> None:
    """A pending device is answered like any other, but its results are not kept."""
    approving.device_request(device.poll())
    assert approving.device_request(device.result("x")).answer().code == 200
    assert approving.orphans(device.id) == []


def test_result_of_an_unknown_device(approving: InMemoryServer, device: DialectDevice) -> None:
    """A result of an unknown device is answered like any other, and does not register the device."""
    assert approving.device_request(device.result("x")).answer().code == 200
    assert approving.ask(f"GET /v1/devices/{device.id}").code == 404


def test_too_many_pending_devices(approving: InMemoryServer, device: DialectDevice) -> None:
    """Beyond the limit of pending devices, unknown ones are held, answered idle and counted, but not recorded."""
    for name in ("controlid:11", "controlid:12"):
        approving.register(name, admission="pending")
    poll = approving.device_request(device.poll())
    assert approving.ask(f"GET /v1/devices/{device.id}").code == 404
    approving.clock.advance(device.hold - 0.1)
    assert poll.answers() == []
    approving.clock.advance(0.1)
    assert is_idle(poll, device)
    assert approving.core.device_service.admission_policy.polls_over_limit == 1


def test_limit_of_pending_devices_is_freed(approving: InMemoryServer, device: DialectDevice) -> None:
    """An unknown device is recorded as pending once another pending device was deleted."""
    for name in ("controlid:11", "controlid:12"):
        approving.register(name, admission="pending")
    approving.ask("DELETE /v1/devices/controlid:11")
    approving.device_request(device.poll())
    assert approving.device(device.id)["admission"] == "pending"


def test_open_admission(server: InMemoryServer, device: DialectDevice) -> None:
    """With open admission a device is approved by its first poll."""
    poll = server.device_request(device.poll())
    assert server.device(device.id)["admission"] == "approved"
    server.put(device.id, device.payload)
    assert poll.answer().body not in (b"", device.idle)


def refusing(build_server: BuildServer, device: DialectDevice, reason: str) -> tuple[InMemoryServer, str]:
    """A server that refuses this device for this reason, and the prefix of the device's path."""
    server = build_server(admission=AdmissionMode.CLOSED if reason == "closed" else AdmissionMode.OPEN)
    if reason == "blocked":
        server.register(device.id, admission="blocked")
    elif reason == "not-in-network":
        server.register(device.id, allow_from=["198.51.100.0/24"])
    elif reason == "no-secret":
        server.register(device.id)
        server.ask(f"POST /v1/devices/{device.id}/secret")
    elif reason == "another's-secret":
        server.register("controlid:99")
        return server, str(server.ask("POST /v1/devices/controlid:99/secret").json["path"])
    return server, ""


@pytest.mark.parametrize("reason", REASONS)
def test_refusals_are_slow(build_server: BuildServer, device: DialectDevice, reason: str) -> None:
    """A refused poll is answered after 5 s, as the dialect requires; the device does not count as seen."""
    server, before = refusing(build_server, device, reason)
    poll = server.device_request(device.poll(before))
    server.clock.advance(4.9)
    assert poll.answers() == []
    server.clock.advance(0.1)
    answer = poll.answer()
    code, part = device.refusal
    assert answer.code == code
    assert part in answer.body
    assert b'"data"' not in answer.body
    assert server.ask(f"GET /v1/devices/{device.id}").json.get("presence", "never_seen") == "never_seen"


@pytest.mark.parametrize("reason", REASONS)
def test_refused_device_that_disconnects(build_server: BuildServer, device: DialectDevice, reason: str) -> None:
    """If a refused device disconnects before it is answered, no timer is left."""
    server, before = refusing(build_server, device, reason)
    timers = len(server.clock.getDelayedCalls())
    server.device_request(device.poll(before)).hang_up()
    assert len(server.clock.getDelayedCalls()) == timers


REFUSALS = {
    "blocked": ("PATCH", "", {"admission": "blocked"}),
    "not-in-network": ("PATCH", "", {"allow_from": ["198.51.100.0/24"]}),
    "no-secret": ("POST", "/secret", None),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_refused_result_settles_nothing(server: InMemoryServer, device: DialectDevice, reason: str) -> None:
    """A refused device cannot settle a command that was sent to it before."""
    server.register(device.id)
    command = server.put(device.id, device.payload)
    server.device_request(device.poll())
    method, call, body = REFUSALS[reason]
    server.ask(f"{method} /v1/devices/{device.id}{call}", body)
    answer = server.device_request(device.result(command)).answer()
    assert answer.code == device.refusal[0]
    assert device.refusal[1] in answer.body
    assert server.command(command)["state"] == "sent"
    assert server.orphans(device.id) == []


def test_secret_path(build_server: BuildServer, device: DialectDevice) -> None:
    """A device is served below its secret path, with any number of slashes."""
    server = build_server()
    server.register(device.id)
    path = server.ask(f"POST /v1/devices/{device.id}/secret").json["path"]
    command = server.put(device.id, device.payload)
    assert server.device_request(device.poll(f"/{path}/")).answer().code == 200
    assert server.command(command)["state"] == "sent"
    server.device_request(device.result(command, None, path))
    assert server.command(command)["state"] == "succeeded"
    assert server.device(device.id)["proof"] == ["secret"]


def test_allowed_network(server: InMemoryServer, device: DialectDevice) -> None:
    """A device with allowed networks is served from an address in one of them."""
    server.register(device.id, allow_from=["198.51.100.0/24", "2001:db8::/32"])
    server.put(device.id, device.payload)
    poll = server.device_request(device.poll(), peer="198.51.100.7")
    assert poll.answer().body not in (b"", device.idle)


def test_all_credentials_are_required(server: InMemoryServer, device: DialectDevice) -> None:
    """A device with a secret path and allowed networks must satisfy both."""
    server.register(device.id, allow_from=["198.51.100.0/24"])
    path = server.ask(f"POST /v1/devices/{device.id}/secret").json["path"]
    command = server.put(device.id, device.payload)
    for before, peer in (("", "198.51.100.7"), (path, "192.0.2.1")):
        poll = server.device_request(device.poll(before), peer=peer)
        server.clock.advance(5)
        assert poll.answer().code == device.refusal[0]
    assert server.command(command)["state"] == "queued"
    assert server.device_request(device.poll(path), peer="198.51.100.7").answer().code == 200
    assert server.command(command)["state"] == "sent"


def test_proof_required_of_all(build_server: BuildServer, device: DialectDevice) -> None:
    """With --require-proof, a device without credentials is held and gets no commands; with one it is served."""
    server = build_server(require_proof=True)
    server.register(device.id)
    command = server.put(device.id, device.payload)
    poll = server.device_request(device.poll())
    server.clock.advance(device.hold)
    assert is_idle(poll, device)
    assert server.command(command)["state"] == "queued"
    path = server.ask(f"POST /v1/devices/{device.id}/secret").json["path"]
    server.device_request(device.poll(path))
    assert server.command(command)["state"] == "sent"
