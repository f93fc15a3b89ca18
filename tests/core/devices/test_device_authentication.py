"""Tests of device authentication: secret paths, API keys, allow lists."""

import pytest
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import Access
from pushd.model.device import Admission, ProofKind
from pushd.model.errors import NotPermitted
from pushd.model.lifecycle import State
from pushd.model.token import Role
from tests.core.conftest import HarnessBuilder
from tests.core.harness import CONTAINER, READER, CoreHarness, StubClient
from tests.store.samples import StubResult

INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"


def access(harness: CoreHarness, device: str = CONTAINER, **proof: str | None) -> Access:
    """What a client gets that sends this proof."""
    return harness.access(device, **proof)


def is_served(harness: CoreHarness, device: str = CONTAINER, **proof: str | None) -> bool:
    """Whether a client that sends this proof is served; otherwise it is refused."""
    found = access(harness, device, **proof)
    assert found in (Access.SERVED, Access.REFUSED)
    return found is Access.SERVED


def allow(harness: CoreHarness, *cidrs: str) -> None:
    """Serve the container only from these networks."""
    harness.result(harness.core.registry.change(CONTAINER, {"allow_from": cidrs}))


def owner_of_path(harness: CoreHarness, secret: str) -> str | None:
    """The device whose secret path this is."""
    return harness.core.registry.owner_of_path(secret)


def test_without_configured_proof_none_is_required(harness: CoreHarness) -> None:
    """If no proof is configured, none is required, and a needless one is ignored."""
    assert is_served(harness)
    assert is_served(harness, api_key="whatever", client_address=None)


def test_a_secret_path_is_required_once_there_is_one(harness: CoreHarness) -> None:
    """A device with a secret is served only below its secret path."""
    secret = harness.issue_credential(CONTAINER, ProofKind.SECRET)
    assert owner_of_path(harness, secret) == CONTAINER
    assert is_served(harness, owner=CONTAINER)
    assert not is_served(harness)


def test_below_a_secret_path_only_its_device_is_served(harness: CoreHarness) -> None:
    """A device that knows its own secret cannot claim another id, even one without a proof."""
    harness.issue_credential(CONTAINER, ProofKind.SECRET)
    assert not is_served(harness, READER, owner=CONTAINER)
    assert not is_served(harness, CONTAINER, owner=READER)


def test_an_unknown_device_below_a_secret_path_is_refused(harness: CoreHarness) -> None:
    """No device is stored below the secret path of another one."""
    assert access(harness, "servereye:new", owner=CONTAINER) is Access.REFUSED
    assert harness.core.registry.pending_count == 0


def test_an_unknown_secret_is_not_a_path(harness: CoreHarness) -> None:
    """Neither a guess nor an API key is a secret path."""
    key = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    assert owner_of_path(harness, "guess") is None
    assert owner_of_path(harness, key) is None


def test_a_key_is_required_once_there_is_one(harness: CoreHarness) -> None:
    """A device with an API key must send it; a secret is not accepted as a key."""
    key, secret = (
        harness.issue_credential(CONTAINER, ProofKind.API_KEY),
        harness.issue_credential(READER, ProofKind.SECRET),
    )
    assert is_served(harness, api_key=key)
    assert not any(is_served(harness, api_key=proof) for proof in (None, "", "guess", secret, key.upper(), key + "x"))


def test_the_key_of_another_device_is_refused(harness: CoreHarness) -> None:
    """Each device has its own key."""
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    other = harness.issue_credential(READER, ProofKind.API_KEY)
    assert not is_served(harness, api_key=other)


@pytest.mark.parametrize("role", list(Role))
def test_a_device_token_is_the_key_of_many(harness: CoreHarness, role: Role) -> None:
    """A token with the role device is accepted as the key of any device; tokens of other roles are not."""
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    token = harness.make_token("fleet", role)
    assert is_served(harness, api_key=token) is (role is Role.DEVICE)


def test_a_device_token_replaces_no_secret(harness: CoreHarness) -> None:
    """A token replaces only the key."""
    harness.issue_credential(CONTAINER, ProofKind.SECRET)
    token = harness.make_token("fleet", Role.DEVICE)
    assert not is_served(harness, api_key=token)


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
    """A device with an allow list is served only from these networks, over IPv4 and IPv6."""
    allow(harness, "10.0.0.0/8", "2001:db8::/32")
    assert is_served(harness, client_address=address) is inside


def test_an_empty_allow_list_requires_nothing(harness: CoreHarness) -> None:
    """An allow list can be removed again."""
    allow(harness, "10.0.0.0/8")
    allow(harness)
    assert is_served(harness, client_address=OUTSIDE)


@pytest.mark.parametrize("missing", [(), ("owner",), ("api_key",), ("client_address",)], ids=str)
def test_all_configured_proofs_are_required(harness: CoreHarness, missing: tuple[str, ...]) -> None:
    """A device with several proofs must send all of them."""
    harness.issue_credential(CONTAINER, ProofKind.SECRET)
    key = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    allow(harness, "10.0.0.0/8")
    whole = {"owner": CONTAINER, "api_key": key, "client_address": INSIDE}
    proof = {name: value for name, value in whole.items() if name not in missing}
    assert is_served(harness, CONTAINER, **proof) is (not missing)


def test_unauthenticated_requests_change_nothing(harness: CoreHarness) -> None:
    """Without the proof a result, an acknowledgement and a sign-off are refused, and are no heartbeat."""
    command = harness.put(CONTAINER)
    harness.poll(CONTAINER)
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    client, device_service = StubClient(client_address=OUTSIDE), harness.core.device_service
    with pytest.raises(NotPermitted):
        device_service.settle(client, CONTAINER, StubResult(message=command))
    with pytest.raises(NotPermitted):
        device_service.acknowledge(client, CONTAINER, command)
    with pytest.raises(NotPermitted):
        harness.result(device_service.sign_off(client, CONTAINER))
    assert harness.command(command).state is State.SENT
    assert harness.device(CONTAINER).last_address is None


def test_require_proof_sends_nothing_to_a_device_without_proof(builder: HarnessBuilder) -> None:
    """With --require-proof a device without proof is held, gets no commands, and its results are ignored."""
    harness = builder.build(Config(require_proof=True))
    command = harness.put(CONTAINER)
    assert harness.poll(CONTAINER).held
    harness.result(harness.core.device_service.settle(StubClient(), CONTAINER, StubResult(message=command)))
    assert harness.command(command).state is State.QUEUED


def test_require_proof_serves_a_device_with_a_proof(builder: HarnessBuilder) -> None:
    """With --require-proof one proof of any kind is enough."""
    harness = builder.build(Config(require_proof=True))
    allow(harness, "10.0.0.0/8")
    command = harness.put(CONTAINER)
    assert harness.poll(CONTAINER, client_address=INSIDE).commands == [command]


def test_require_proof_holds_a_device_that_lost_its_proof(builder: HarnessBuilder, clock: Clock) -> None:
    """A device that has lost its proof since its command was queued is held until the end of its hold."""
    harness = builder.build(Config(require_proof=True))
    allow(harness, "10.0.0.0/8")
    harness.put(CONTAINER, not_before=harness.wall_ms_in(3))
    harness.poll(CONTAINER, client_address=INSIDE).disconnect()
    allow(harness)
    poll = harness.poll(CONTAINER)
    clock.advance(44.999)
    assert poll.held
    clock.advance(0.001)
    assert poll.idle


def test_an_approval_wakes_the_poll_of_a_device_with_proof(builder: HarnessBuilder) -> None:
    """A pending device that has a proof gets its queued commands as soon as it is approved."""
    harness = builder.build(Config(require_proof=True))
    harness.register("servereye:new", Admission.PENDING, allow_from=("10.0.0.0/8",))
    poll = harness.poll("servereye:new", client_address=INSIDE)
    command = harness.put("servereye:new")
    harness.result(harness.core.registry.change("servereye:new", {"admission": Admission.APPROVED}))
    assert poll.commands == [command]


@pytest.mark.parametrize("kind", [*ProofKind, "allow_from", "blocked"])
def test_a_poll_that_was_admitted_before_is_ended(harness: CoreHarness, clock: Clock, kind: str) -> None:
    """When a device is blocked, or gets a proof, its held poll without proof ends and gets no commands."""
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


def test_the_first_proof_ends_the_held_poll(builder: HarnessBuilder, clock: Clock) -> None:
    """With --require-proof a held poll ends when its device gets its first proof, and the next one gets commands."""
    harness = builder.build(Config(require_proof=True))
    command = harness.put(CONTAINER)
    poll = harness.poll(CONTAINER)
    key = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    clock.advance(0.1)
    assert poll.idle
    assert harness.poll(CONTAINER, api_key=key).commands == [command]


def test_another_change_leaves_the_poll_alone(harness: CoreHarness) -> None:
    """A new name or a new hold does not end a held poll."""
    poll = harness.poll(CONTAINER)
    harness.result(harness.core.registry.change(CONTAINER, {"name": "cellar", "hold": 20.0, "tags": ("north",)}))
    assert harness.core.poll_registry.is_polling(CONTAINER)
    command = harness.put(CONTAINER)
    assert poll.commands == [command]
