"""Tests of secrets and API keys of devices."""

import pytest

from pushd.model.device import Proof, ProofKind
from pushd.model.errors import UnknownDevice
from pushd.model.event import Event
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.conftest import StoreUnderTest
from tests.store.samples import OTHER_READER, READER, UNREGISTERED, at, wall

LASTING = pytest.mark.parametrize("kind", ["file", "threads", "postgres"])
SECRET, API_KEY = ProofKind.SECRET, ProofKind.API_KEY


def proof(digest: bytes, kind: ProofKind = SECRET, expires_at: int | None = None, device: str = READER) -> Proof:
    """A proof of a device."""
    return Proof(digest=digest, device=device, kind=kind, expires_at=expires_at)


async def test_a_secret_is_added(store: IStore, events: list[Event]) -> None:
    """The first secret of a device is its only one; the event says that the device changed, not how."""
    assert (await store.add_proof(READER, SECRET, b"one", 0.0)).proofs == [proof(b"one")]
    assert [(event.type, event.device) for event in events] == [("device.changed", READER)]
    assert events[0].data["fields"] == ["secret"]


async def test_a_new_secret_replaces_the_old(store: IStore) -> None:
    """Without an overlap the old secret is invalid at once."""
    await when(store, at()).add_proof(READER, SECRET, b"one", 0.0)
    assert (await when(store, at(1)).add_proof(READER, SECRET, b"two", 0.0)).proofs == [proof(b"two")]


async def test_an_old_secret_may_stay_for_a_while(store: IStore) -> None:
    """With an overlap both are valid until it ends."""
    await when(store, at()).add_proof(READER, SECRET, b"one", 0.0)
    both = await when(store, at(1)).add_proof(READER, SECRET, b"two", 60.0)
    assert set(both.proofs) == {proof(b"one", expires_at=wall(61)), proof(b"two")}


async def test_an_overlap_is_not_made_longer_by_another(store: IStore) -> None:
    """A third secret gives the second an overlap, and leaves the first the end that it had."""
    await when(store, at()).add_proof(READER, SECRET, b"one", 0.0)
    await when(store, at()).add_proof(READER, SECRET, b"two", 60.0)
    three = await when(store, at(30)).add_proof(READER, SECRET, b"three", 90.0)
    assert set(three.proofs) == {
        proof(b"one", expires_at=wall(60)),
        proof(b"two", expires_at=wall(120)),
        proof(b"three"),
    }


async def test_an_expired_secret_is_dropped(store: IStore) -> None:
    """A secret whose overlap has ended is not kept."""
    await when(store, at()).add_proof(READER, SECRET, b"one", 0.0)
    await when(store, at()).add_proof(READER, SECRET, b"two", 60.0)
    later = await when(store, at(60)).add_proof(READER, SECRET, b"three", 60.0)
    assert set(later.proofs) == {proof(b"two", expires_at=wall(120)), proof(b"three")}


async def test_a_key_and_a_secret_are_two_things(store: IStore) -> None:
    """A new key replaces the old key and no secret, and none of another device."""
    await store.add_proof(OTHER_READER, API_KEY, b"gate", 0.0)
    await store.add_proof(READER, SECRET, b"secret", 0.0)
    await store.add_proof(READER, API_KEY, b"key", 0.0)
    reader = await store.add_proof(READER, API_KEY, b"new key", 0.0)
    assert set(reader.proofs) == {proof(b"secret"), proof(b"new key", API_KEY)}
    others = await store.add_proof(OTHER_READER, SECRET, b"gate too", 0.0)
    assert set(others.proofs) == {
        proof(b"gate", API_KEY, device=OTHER_READER),
        proof(b"gate too", device=OTHER_READER),
    }


async def test_an_unknown_device_gets_no_secret(store: IStore) -> None:
    """A device must exist before it gets a secret."""
    with pytest.raises(UnknownDevice, match=UNREGISTERED):
        await store.add_proof(UNREGISTERED, SECRET, b"one", 0.0)


@LASTING
async def test_proofs_are_there_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """Devices need no new secrets after a restart; those of deleted devices are gone."""
    await when(store, at()).add_proof(READER, SECRET, b"one", 0.0)
    await when(store, at()).add_proof(READER, SECRET, b"two", 60.0)
    await when(store, at()).add_proof(OTHER_READER, API_KEY, b"gate", 0.0)
    await when(store, at()).forget_device(OTHER_READER)
    known = await under_test.restart(at(5))
    assert set(known.proofs) == {proof(b"one", expires_at=wall(60)), proof(b"two")}
