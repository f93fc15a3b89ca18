"""Tests of how a device proves that it is itself."""

import pytest
from twisted.internet.task import Clock

from pushd.config import Config
from pushd.core.devices.admission import Access, ClientIdentity
from pushd.model.device import Admission, ProofKind
from pushd.model.errors import NotPermitted
from pushd.model.lifecycle import State
from pushd.model.token import Role
from tests.core.conftest import Site
from tests.core.harness import CONTAINER, READER, Rooms
from tests.store.samples import Said

INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"


def access(rooms: Rooms, device: str = CONTAINER, **shown: str | None) -> Access:
    """What a visitor gets that shows this."""
    return rooms.access(device, **shown)


def served(rooms: Rooms, device: str = CONTAINER, **shown: str | None) -> bool:
    """Whether a visitor that shows this is served; it is refused otherwise."""
    found = access(rooms, device, **shown)
    assert found in (Access.SERVED, Access.REFUSED)
    return found is Access.SERVED


def allow(rooms: Rooms, *cidrs: str) -> None:
    """Serve the container from these networks alone."""
    rooms.result(rooms.core.registry.change(CONTAINER, {"allow_from": cidrs}))


def path_of(rooms: Rooms, secret: str) -> str | None:
    """Whose path it is, as the door looks it up."""
    return rooms.core.registry.owner_of_path(secret)


def test_without_a_proof_anybody_can_be_the_device(rooms: Rooms) -> None:
    """Where nothing is configured nothing is asked for, and what is shown in vain does not matter."""
    assert served(rooms)
    assert served(rooms, api_key="whatever", address=None)


def test_a_secret_path_is_asked_for_once_there_is_one(rooms: Rooms) -> None:
    """A device with a secret is served below its path alone."""
    secret = rooms.give(CONTAINER, ProofKind.SECRET)
    assert path_of(rooms, secret) == CONTAINER
    assert served(rooms, owner=CONTAINER)
    assert not served(rooms)


def test_below_a_secret_path_only_its_device_is_served(rooms: Rooms) -> None:
    """A device that knows its own secret cannot be another, not even one that has none."""
    rooms.give(CONTAINER, ProofKind.SECRET)
    assert not served(rooms, READER, owner=CONTAINER)
    assert not served(rooms, CONTAINER, owner=READER)


def test_a_stranger_below_a_secret_path_is_refused(rooms: Rooms) -> None:
    """Nobody is introduced below the path of somebody else."""
    assert access(rooms, "servereye:new", owner=CONTAINER) is Access.REFUSED
    assert rooms.core.registry.pending_count == 0


def test_an_unknown_secret_is_nobodys_path(rooms: Rooms) -> None:
    """The door finds no owner for it, nor for a key that is used as one."""
    key = rooms.give(CONTAINER, ProofKind.API_KEY)
    assert path_of(rooms, "guess") is None
    assert path_of(rooms, key) is None


def test_a_key_is_asked_for_once_there_is_one(rooms: Rooms) -> None:
    """A device with an API key must show it; a secret is no key."""
    key, secret = rooms.give(CONTAINER, ProofKind.API_KEY), rooms.give(READER, ProofKind.SECRET)
    assert served(rooms, api_key=key)
    assert not any(served(rooms, api_key=shown) for shown in (None, "", "guess", secret, key.upper(), key + "x"))


def test_the_key_of_another_device_is_no_key(rooms: Rooms) -> None:
    """Each device has its own."""
    rooms.give(CONTAINER, ProofKind.API_KEY)
    other = rooms.give(READER, ProofKind.API_KEY)
    assert not served(rooms, api_key=other)


@pytest.mark.parametrize("role", list(Role))
def test_a_device_token_is_the_key_of_many(rooms: Rooms, role: Role) -> None:
    """One token with the role device proves any device that asks for a key; tokens of other roles prove none."""
    rooms.give(CONTAINER, ProofKind.API_KEY)
    token = rooms.result(rooms.core.tokens.issue("fleet", role))
    assert served(rooms, api_key=token) is (role is Role.DEVICE)


def test_a_device_token_replaces_no_secret(rooms: Rooms) -> None:
    """It stands for the key alone."""
    rooms.give(CONTAINER, ProofKind.SECRET)
    token = rooms.result(rooms.core.tokens.issue("fleet", Role.DEVICE))
    assert not served(rooms, api_key=token)


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
def test_a_device_can_be_bound_to_networks(rooms: Rooms, address: str | None, inside: bool) -> None:
    """A device with an allow list is served from there alone, over either version of the protocol."""
    allow(rooms, "10.0.0.0/8", "2001:db8::/32")
    assert served(rooms, address=address) is inside


def test_networks_can_be_forgotten_again(rooms: Rooms) -> None:
    """An empty list asks for nothing."""
    allow(rooms, "10.0.0.0/8")
    allow(rooms)
    assert served(rooms, address=OUTSIDE)


@pytest.mark.parametrize("missing", [(), ("owner",), ("api_key",), ("address",)], ids=str)
def test_all_that_is_configured_is_asked_for(rooms: Rooms, missing: tuple[str, ...]) -> None:
    """A device with several proofs must satisfy each of them."""
    rooms.give(CONTAINER, ProofKind.SECRET)
    key = rooms.give(CONTAINER, ProofKind.API_KEY)
    allow(rooms, "10.0.0.0/8")
    whole = {"owner": CONTAINER, "api_key": key, "address": INSIDE}
    shown = {name: value for name, value in whole.items() if name not in missing}
    assert served(rooms, CONTAINER, **shown) is (not missing)


def test_nothing_is_taken_from_who_proves_nothing(rooms: Rooms) -> None:
    """A result, an acknowledgement and a goodbye without the proof settle nothing, and are no sign of life."""
    command = rooms.put(CONTAINER)
    rooms.poll(CONTAINER)
    rooms.give(CONTAINER, ProofKind.API_KEY)
    client_identity, device_service = ClientIdentity(device=CONTAINER, address=OUTSIDE), rooms.core.device_service
    for visit in (
        device_service.settle(client_identity, Said(message=command)),
        device_service.acknowledge(client_identity, command),
        device_service.sign_off(client_identity),
    ):
        with pytest.raises(NotPermitted):
            rooms.result(visit)
    assert rooms.command(command).state is State.SENT
    assert rooms.device(CONTAINER).last_address is None


def test_require_proof_hands_nothing_to_who_has_none(site: Site) -> None:
    """With --require-proof a device without one is held like any other, and is handed nothing; nor is its word
    taken.
    """
    rooms = site.build(Config(require_proof=True))
    command = rooms.put(CONTAINER)
    assert rooms.poll(CONTAINER).held
    rooms.result(rooms.core.device_service.settle(ClientIdentity(device=CONTAINER), Said(message=command)))
    assert rooms.command(command).state is State.QUEUED


def test_require_proof_serves_who_has_one(site: Site) -> None:
    """With --require-proof any one kind of proof is enough."""
    rooms = site.build(Config(require_proof=True))
    allow(rooms, "10.0.0.0/8")
    command = rooms.put(CONTAINER)
    assert rooms.poll(CONTAINER, address=INSIDE).commands == [command]


def test_require_proof_lets_who_lost_its_proof_sleep(site: Site, clock: Clock) -> None:
    """A device that had a proof when its command was queued, and has none any more, is held until the end of its
    hold.
    """
    rooms = site.build(Config(require_proof=True))
    allow(rooms, "10.0.0.0/8")
    rooms.put(CONTAINER, not_before=rooms.in_wall_ms(3))
    rooms.poll(CONTAINER, address=INSIDE).leave()
    allow(rooms)
    poll = rooms.poll(CONTAINER)
    clock.advance(44.999)
    assert poll.held
    clock.advance(0.001)
    assert poll.idle


def test_require_proof_lets_an_approval_ring(site: Site) -> None:
    """A device that has a proof and waits for an approval gets what was sent to it as soon as it is approved."""
    rooms = site.build(Config(require_proof=True))
    rooms.register("servereye:new", Admission.PENDING, allow_from=("10.0.0.0/8",))
    poll = rooms.poll("servereye:new", address=INSIDE)
    command = rooms.put("servereye:new")
    rooms.result(rooms.core.registry.change("servereye:new", {"admission": Admission.APPROVED}))
    assert poll.commands == [command]


@pytest.mark.parametrize("kind", [*ProofKind, "allow_from", "blocked"])
def test_a_poll_that_was_let_in_before_is_handed_nothing(rooms: Rooms, clock: Clock, kind: str) -> None:
    """As soon as a device is blocked, or asked for a proof, the poll that it held without one ends, and gets
    nothing.
    """
    poll = rooms.poll(CONTAINER)
    if kind in list(ProofKind):
        rooms.give(CONTAINER, ProofKind(kind))
    elif kind == "blocked":
        rooms.result(rooms.core.registry.change(CONTAINER, {"admission": Admission.BLOCKED}))
        rooms.result(rooms.core.registry.change(CONTAINER, {"admission": Admission.APPROVED}))
    else:
        allow(rooms, "10.0.0.0/8")
    command = rooms.put(CONTAINER)
    clock.advance(0.1)
    assert poll.idle
    assert rooms.command(command).state is State.QUEUED


def test_a_poll_that_waits_for_its_first_proof_comes_again(site: Site, clock: Clock) -> None:
    """With --require-proof a held poll ends when its device gets its first proof, and the next one is handed
    commands.
    """
    rooms = site.build(Config(require_proof=True))
    command = rooms.put(CONTAINER)
    poll = rooms.poll(CONTAINER)
    key = rooms.give(CONTAINER, ProofKind.API_KEY)
    clock.advance(0.1)
    assert poll.idle
    assert rooms.poll(CONTAINER, api_key=key).commands == [command]


def test_another_change_leaves_the_poll_alone(rooms: Rooms) -> None:
    """A new name, or a new hold, is no reason to come again."""
    poll = rooms.poll(CONTAINER)
    rooms.result(rooms.core.registry.change(CONTAINER, {"name": "cellar", "hold": 20.0, "tags": ("north",)}))
    assert rooms.core.poll_registry.is_polling(CONTAINER)
    command = rooms.put(CONTAINER)
    assert poll.commands == [command]
