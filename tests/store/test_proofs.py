"""Tests of secrets, API keys and tokens."""

import pytest

from pushd.model.device import Proof, ProofKind
from pushd.model.errors import UnknownDevice
from pushd.model.event import Event
from pushd.model.token import Role, Token
from pushd.store.interface import IStore
from tests.store.conftest import StoreUnderTest
from tests.store.samples import OTHER_READER, READER, UNREGISTERED, at, wall

LASTING = pytest.mark.parametrize("kind", ["file", "threads"])
SECRET, API_KEY = ProofKind.SECRET, ProofKind.API_KEY


def proof(digest: bytes, kind: ProofKind = SECRET, expires_at: int | None = None, device: str = READER) -> Proof:
    """A proof of a device."""
    return Proof(digest=digest, device=device, kind=kind, expires_at=expires_at)


def token(name: str, digest: bytes, role: Role = Role.ADMIN) -> Token:
    """A token whose id is made of its digest."""
    return Token(id=f"id-{digest.hex()}", name=name, role=role, digest=digest)


async def test_a_secret_is_added(store: IStore, events: list[Event]) -> None:
    """The first secret of a device is its only one; the event says that the device changed, not how."""
    assert await store.add_proof(READER, SECRET, b"one", 0.0, at()) == [proof(b"one")]
    assert [(event.type, event.device) for event in events] == [("device.changed", READER)]
    assert events[0].data["fields"] == ["secret"]


async def test_a_new_secret_replaces_the_old(store: IStore) -> None:
    """Without an overlap the old secret is invalid at once."""
    await store.add_proof(READER, SECRET, b"one", 0.0, at())
    assert await store.add_proof(READER, SECRET, b"two", 0.0, at(1)) == [proof(b"two")]


async def test_an_old_secret_may_stay_for_a_while(store: IStore) -> None:
    """With an overlap both are valid until it ends."""
    await store.add_proof(READER, SECRET, b"one", 0.0, at())
    both = await store.add_proof(READER, SECRET, b"two", 60.0, at(1))
    assert set(both) == {proof(b"one", expires_at=wall(61)), proof(b"two")}


async def test_an_overlap_is_not_made_longer_by_another(store: IStore) -> None:
    """A third secret gives the second an overlap, and leaves the first the end that it had."""
    await store.add_proof(READER, SECRET, b"one", 0.0, at())
    await store.add_proof(READER, SECRET, b"two", 60.0, at())
    three = await store.add_proof(READER, SECRET, b"three", 90.0, at(30))
    assert set(three) == {
        proof(b"one", expires_at=wall(60)),
        proof(b"two", expires_at=wall(120)),
        proof(b"three"),
    }


async def test_an_expired_secret_is_dropped(store: IStore) -> None:
    """A secret whose overlap has ended is not kept."""
    await store.add_proof(READER, SECRET, b"one", 0.0, at())
    await store.add_proof(READER, SECRET, b"two", 60.0, at())
    later = await store.add_proof(READER, SECRET, b"three", 60.0, at(60))
    assert set(later) == {proof(b"two", expires_at=wall(120)), proof(b"three")}


async def test_a_key_and_a_secret_are_two_things(store: IStore) -> None:
    """A new key replaces the old key and no secret, and none of another device."""
    await store.add_proof(OTHER_READER, API_KEY, b"gate", 0.0, at())
    await store.add_proof(READER, SECRET, b"secret", 0.0, at())
    await store.add_proof(READER, API_KEY, b"key", 0.0, at())
    proofs = await store.add_proof(READER, API_KEY, b"new key", 0.0, at())
    assert set(proofs) == {proof(b"secret"), proof(b"new key", API_KEY)}
    others = await store.add_proof(OTHER_READER, SECRET, b"gate too", 0.0, at())
    assert set(others) == {proof(b"gate", API_KEY, device=OTHER_READER), proof(b"gate too", device=OTHER_READER)}


async def test_an_unknown_device_gets_no_secret(store: IStore) -> None:
    """A device must exist before it gets a secret."""
    with pytest.raises(UnknownDevice, match=UNREGISTERED):
        await store.add_proof(UNREGISTERED, SECRET, b"one", 0.0, at())


@LASTING
async def test_proofs_are_there_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """Devices need no new secrets after a restart; those of deleted devices are gone."""
    await store.add_proof(READER, SECRET, b"one", 0.0, at())
    await store.add_proof(READER, SECRET, b"two", 60.0, at())
    await store.add_proof(OTHER_READER, API_KEY, b"gate", 0.0, at())
    await store.forget_device(OTHER_READER, at())
    known = await under_test.restart(at(5))
    assert set(known.proofs) == {proof(b"one", expires_at=wall(60)), proof(b"two")}


@LASTING
async def test_tokens_are_there_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """A token is valid after a restart, with its role."""
    tokens = {token("admin", b"a"), token("agents", b"b", Role.DEVICE), token("eyes", b"c", Role.VIEWER)}
    for each in tokens:
        await store.set_token(each, at())
    assert set((await under_test.restart(at(5))).tokens) == tokens


@LASTING
async def test_a_new_token_revokes_the_one_of_its_name(under_test: StoreUnderTest, store: IStore) -> None:
    """After a new admin token was made, the old one is invalid."""
    await store.set_token(token("admin", b"old"), at())
    await store.set_token(token("other", b"o"), at())
    await store.set_token(token("admin", b"new"), at(1))
    assert set((await under_test.restart(at(5))).tokens) == {token("admin", b"new"), token("other", b"o")}
