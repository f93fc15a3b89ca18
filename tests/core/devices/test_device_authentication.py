"""Tests of how a device proves that it is itself."""

import pytest
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import Access, ClientIdentity
from pushd.model.device import Admission, ProofKind
from pushd.model.errors import NotPermitted
from pushd.model.lifecycle import State
from pushd.model.token import Role
from tests.core.conftest import HarnessBuilder
from tests.core.harness import CONTAINER, READER, CoreHarness
from tests.store.samples import StubResult

INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"


def access(harness: CoreHarness, device: str = CONTAINER, **shown: str | None) -> Access:
    """What a visitor gets that shows this."""
    return harness.access(device, **shown)


def served(harness: CoreHarness, device: str = CONTAINER, **shown: str | None) -> bool:
    """Whether a visitor that shows this is served; it is refused otherwise."""
    found = access(harness, device, **shown)
    assert found in (Access.SERVED, Access.REFUSED)
    return found is Access.SERVED


def allow(harness: CoreHarness, *cidrs: str) -> None:
    """Serve the container from these networks alone."""
    harness.result(harness.core.registry.change(CONTAINER, {"allow_from": cidrs}))


def path_of(harness: CoreHarness, secret: str) -> str | None:
    """Whose path it is, as the door looks it up."""
    return harness.core.registry.owner_of_path(secret)


def test_without_a_proof_anybody_can_be_the_device(harness: CoreHarness) -> None:
    """Where nothing is configured nothing is asked for, and what is shown in vain does not matter."""
    assert served(harness)
    assert served(harness, api_key="whatever", address=None)


def test_a_secret_path_is_asked_for_once_there_is_one(harness: CoreHarness) -> None:
    """A device with a secret is served below its path alone."""
    secret = harness.issue_credential(CONTAINER, ProofKind.SECRET)
    assert path_of(harness, secret) == CONTAINER
    assert served(harness, owner=CONTAINER)
    assert not served(harness)


def test_below_a_secret_path_only_its_device_is_served(harness: CoreHarness) -> None:
    """A device that knows its own secret cannot be another, not even one that has none."""
    harness.issue_credential(CONTAINER, ProofKind.SECRET)
    assert not served(harness, READER, owner=CONTAINER)
    assert not served(harness, CONTAINER, owner=READER)


def test_a_stranger_below_a_secret_path_is_refused(harness: CoreHarness) -> None:
    """Nobody is introduced below the path of somebody else."""
    assert access(harness, "servereye:new", owner=CONTAINER) is Access.REFUSED
    assert harness.core.registry.pending_count == 0


def test_an_unknown_secret_is_nobodys_path(harness: CoreHarness) -> None:
    """The door finds no owner for it, nor for a key that is used as one."""
    key = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    assert path_of(harness, "guess") is None
    assert path_of(harness, key) is None


def test_a_key_is_asked_for_once_there_is_one(harness: CoreHarness) -> None:
    """A device with an API key must show it; a secret is no key."""
    key, secret = (
        harness.issue_credential(CONTAINER, ProofKind.API_KEY),
        harness.issue_credential(READER, ProofKind.SECRET),
    )
    assert served(harness, api_key=key)
    assert not any(served(harness, api_key=shown) for shown in (None, "", "guess", secret, key.upper(), key + "x"))


def test_the_key_of_another_device_is_no_key(harness: CoreHarness) -> None:
    """Each device has its own."""
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    other = harness.issue_credential(READER, ProofKind.API_KEY)
    assert not served(harness, api_key=other)


@pytest.mark.parametrize("role", list(Role))
def test_a_device_token_is_the_key_of_many(harness: CoreHarness, role: Role) -> None:
    """One token with the role device proves any device that asks for a key; tokens of other roles prove none."""
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    token = harness.result(harness.core.tokens.issue("fleet", role))
    assert served(harness, api_key=token) is (role is Role.DEVICE)


def test_a_device_token_replaces_no_secret(harness: CoreHarness) -> None:
    """It stands for the key alone."""
    harness.issue_credential(CONTAINER, ProofKind.SECRET)
    token = harness.result(harness.core.tokens.issue("fleet", Role.DEVICE))
    assert not served(harness, api_key=token)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("::ffff:10.1.2.3", True),  # IPv4 that arrived on an IPv6 socket
        ("::ffff:11.1.2.3", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("::10.1.2.3", False),
        ("unix", False),
        ("", False),
        (None, False),
    ],
)
def test_a_device_can_be_bound_to_networks(harness: CoreHarness, address: str | None, inside: bool) -> None:
    """A device with an allow list is served from there alone, over either version of the protocol."""
    allow(harness, "10.0.0.0/8", "2001:db8::/32")
    assert served(harness, address=address) is inside


def test_networks_can_be_forgotten_again(harness: CoreHarness) -> None:
    """An empty list asks for nothing."""
    allow(harness, "10.0.0.0/8")
    allow(harness)
    assert served(harness, address=OUTSIDE)


@pytest.mark.parametrize("missing", [(), ("owner",), ("api_key",), ("address",)], ids=str)
def test_all_that_is_configured_is_asked_for(harness: CoreHarness, missing: tuple[str, ...]) -> None:
    """A device with several proofs must satisfy each of them."""
    harness.issue_credential(CONTAINER, ProofKind.SECRET)
    key = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    allow(harness, "10.0.0.0/8")
    whole = {"owner": CONTAINER, "api_key": key, "address": INSIDE}
    shown = {name: value for name, value in whole.items() if name not in missing}
    assert served(harness, CONTAINER, **shown) is (not missing)


def test_nothing_is_taken_from_who_proves_nothing(harness: CoreHarness) -> None:
    """A result, an acknowledgement and a goodbye without the proof settle nothing, and are no sign of life."""
    command = harness.put(CONTAINER)
    harness.poll(CONTAINER)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    client_identity, device_service = ClientIdentity(device=CONTAINER, address=OUTSIDE), harness.core.device_service
    for visit in (
        device_service.settle(client_identity, StubResult(message=command)),
        device_service.acknowledge(client_identity, command),
        device_service.sign_off(client_identity),
    ):
        with pytest.raises(NotPermitted):
            harness.result(visit)
    assert harness.command(command).state is State.SENT
    assert harness.device(CONTAINER).last_address is None


def test_require_proof_hands_nothing_to_who_has_none(builder: HarnessBuilder) -> None:
    """With --require-proof a device without one is held like any other, and is handed nothing; nor is its word
    taken.
    """
    harness = builder.build(Config(require_proof=True))
    command = harness.put(CONTAINER)
    assert harness.poll(CONTAINER).held
    harness.result(harness.core.device_service.settle(ClientIdentity(device=CONTAINER), StubResult(message=command)))
    assert harness.command(command).state is State.QUEUED


def test_require_proof_serves_who_has_one(builder: HarnessBuilder) -> None:
    """With --require-proof any one kind of proof is enough."""
    harness = builder.build(Config(require_proof=True))
    allow(harness, "10.0.0.0/8")
    command = harness.put(CONTAINER)
    assert harness.poll(CONTAINER, address=INSIDE).commands == [command]


def test_require_proof_lets_who_lost_its_proof_sleep(builder: HarnessBuilder, clock: Clock) -> None:
    """A device that had a proof when its command was queued, and has none any more, is held until the end of its
    hold.
    """
    harness = builder.build(Config(require_proof=True))
    allow(harness, "10.0.0.0/8")
    harness.put(CONTAINER, not_before=harness.wall_ms_in(3))
    harness.poll(CONTAINER, address=INSIDE).disconnect()
    allow(harness)
    poll = harness.poll(CONTAINER)
    clock.advance(44.999)
    assert poll.held
    clock.advance(0.001)
    assert poll.idle


def test_require_proof_lets_an_approval_ring(builder: HarnessBuilder) -> None:
    """A device that has a proof and waits for an approval gets what was sent to it as soon as it is approved."""
    harness = builder.build(Config(require_proof=True))
    harness.register("servereye:new", Admission.PENDING, allow_from=("10.0.0.0/8",))
    poll = harness.poll("servereye:new", address=INSIDE)
    command = harness.put("servereye:new")
    harness.result(harness.core.registry.change("servereye:new", {"admission": Admission.APPROVED}))
    assert poll.commands == [command]


@pytest.mark.parametrize("kind", [*ProofKind, "allow_from", "blocked"])
def test_a_poll_that_was_let_in_before_is_handed_nothing(harness: CoreHarness, clock: Clock, kind: str) -> None:
    """As soon as a device is blocked, or asked for a proof, the poll that it held without one ends, and gets
    nothing.
    """
    poll = harness.poll(CONTAINER)
    if kind in list(ProofKind):
        harness.issue_credential(CONTAINER, ProofKind(kind))
    elif kind == "blocked":
        harness.result(harness.core.registry.change(CONTAINER, {"admission": Admission.BLOCKED}))
        harness.result(harness.core.registry.change(CONTAINER, {"admission": Admission.APPROVED}))
    else:
        allow(harness, "10.0.0.0/8")
    command = harness.put(CONTAINER)
    clock.advance(0.1)
    assert poll.idle
    assert harness.command(command).state is State.QUEUED


def test_a_poll_that_waits_for_its_first_proof_comes_again(builder: HarnessBuilder, clock: Clock) -> None:
    """With --require-proof a held poll ends when its device gets its first proof, and the next one is handed
    commands.
    """
    harness = builder.build(Config(require_proof=True))
    command = harness.put(CONTAINER)
    poll = harness.poll(CONTAINER)
    key = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    clock.advance(0.1)
    assert poll.idle
    assert harness.poll(CONTAINER, api_key=key).commands == [command]


def test_another_change_leaves_the_poll_alone(harness: CoreHarness) -> None:
    """A new name, or a new hold, is no reason to come again."""
    poll = harness.poll(CONTAINER)
    harness.result(harness.core.registry.change(CONTAINER, {"name": "cellar", "hold": 20.0, "tags": ("north",)}))
    assert harness.core.poll_registry.is_polling(CONTAINER)
    command = harness.put(CONTAINER)
    assert poll.commands == [command]
