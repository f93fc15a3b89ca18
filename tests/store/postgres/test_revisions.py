"""Tests of operations by what another process has changed: nothing is done, and the caller judges anew."""

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from pushd.model.device import UNKNOWN_REVISION, Admission, ProofKind
from pushd.model.errors import AdmissionChanged
from pushd.model.lifecycle import State
from pushd.model.token import Role, Token, TokenRevision
from pushd.store.postgres.store import PostgresStore
from tests.store.clock import numbered
from tests.store.samples import LIMIT, READER, by_message, command_id, device, draft
from tests.store.steps import all_events, get_command, put, send, state

NIGHT = Token(id="id-night", name="night", role=Role.OPERATOR, sites=("Lisbon",))

Stores = tuple[PostgresStore, PostgresStore]


async def revision(store: PostgresStore) -> int:
    """The revision of the device."""
    stored = await store.stored_device(READER)
    assert stored is not None
    assert stored.device.revision is not None
    return stored.device.revision


async def change(store: PostgresStore, what: str) -> None:
    """Change what the device is admitted by."""
    changes: dict[str, Mapping[str, Any]] = {
        "blocked": {"admission": Admission.BLOCKED},
        "networks": {"allow_from": ("192.0.2.0/24",)},
        "site": {"site": "Porto"},
        "tags": {"tags": ("gate",)},
    }
    if what == "deleted":
        await store.forget_device(READER)
    elif what == "added again":
        await store.forget_device(READER)
        await store.add_device(device(READER), False)
    elif what == "secret":
        await store.add_proof(READER, ProofKind.SECRET, b"digest", 0.0)
    else:
        await store.change_device(READER, changes[what])


CHANGES = ["blocked", "networks", "site", "tags", "secret"]


@pytest.mark.parametrize("what", CHANGES)
async def test_claim(stores: Stores, what: str) -> None:
    """A device that was changed at one node gets nothing at another that judged it before; its command is queued."""
    first, second = stores
    await put(first, 1)
    admitted = await revision(second)
    await change(first, what)
    with pytest.raises(AdmissionChanged):
        await second.claim(READER, None, False, 1, revision=admitted)
    assert (await get_command(first, 1)).attempts == 0
    assert await state(first, 1) is State.QUEUED


@pytest.mark.parametrize("what", [*CHANGES, "deleted", "added again"])
async def test_acknowledgement_and_result(stores: Stores, what: str) -> None:
    """Nor is its acknowledgement taken there, or its result."""
    first, second = stores
    await send(first, 1)
    admitted = await revision(second)
    await change(first, what)
    before = await get_command(first, 1)
    with pytest.raises(AdmissionChanged):
        await second.acknowledge(READER, command_id(1), admitted)
    with pytest.raises(AdmissionChanged):
        await second.settle(READER, by_message(1), admitted)
    assert await get_command(first, 1) == before


async def test_device_that_was_not_stored(stores: Stores) -> None:
    """A poll that was admitted before its device was stored is judged anew."""
    first, second = stores
    await put(first, 1)
    with pytest.raises(AdmissionChanged):
        await second.claim(READER, None, False, 1, revision=UNKNOWN_REVISION)
    assert await state(first, 1) is State.QUEUED


async def test_device_that_has_moved(stores: Stores) -> None:
    """A node that does not serve a device any more learns that first: its next poll there is not taken for served."""
    first, second = stores
    await put(first, 1)
    admitted = await revision(first)
    await second.membership().serve(READER)
    await change(second, "tags")
    assert not (await first.claim(READER, None, False, 1, revision=admitted)).is_served


async def test_what_is_no_matter_of_admission(stores: Stores) -> None:
    """A device with another name, other facts and another hold is admitted as before."""
    first, second = stores
    await put(first, 1)
    admitted = await revision(second)
    await first.change_device(READER, {"name": "gate", "facts": {"model": "iDFlex"}, "hold": 5.0})
    claim = await second.claim(READER, None, False, 1, revision=admitted)
    assert [each.command for each in claim.dispatched] == [command_id(1)]


async def test_claim_with_the_new_revision(stores: Stores) -> None:
    """A device that was judged anew gets its command."""
    first, second = stores
    await put(first, 1)
    for what in CHANGES[1:]:
        await change(first, what)
    claim = await second.claim(READER, None, False, 1, revision=await revision(second))
    assert [each.command for each in claim.dispatched] == [command_id(1)]


async def changed_token(store: PostgresStore, what: str) -> None:
    """Change a token."""
    if what == "revoked":
        await store.delete_token(NIGHT.id)
    elif what == "rotated":
        await store.rotate_token(NIGHT.id, b"another", 60.0)
    elif what == "expires":
        await store.change_token(NIGHT.id, {"expires_at": 4_000_000_000_000})
    else:
        await store.change_token(NIGHT.id, {"sites": ("Porto",)})


@pytest.mark.parametrize("what", ["revoked", "rotated", "expires", "limited"])
async def test_put(stores: Stores, what: str) -> None:
    """A token that was changed or revoked at one node queues nothing at another that judged it before, neither a new
    command nor one that is sent again, and learns of no earlier one.
    """
    first, second = stores
    token = await first.add_token(NIGHT, b"digest")
    assert token.revision is not None
    sent = evolve(draft(key="k", fingerprint=b"f"), token=TokenRevision(token.id, token.revision))
    await numbered(second, 1).put(sent, False, LIMIT)
    await first.cancel(command_id(1))
    before = await all_events(first)
    await changed_token(first, what)
    with pytest.raises(AdmissionChanged):
        await second.put(sent, False, LIMIT)
    with pytest.raises(AdmissionChanged):
        await second.resend(evolve(sent, idempotency_key=None, resend_of=command_id(1)), False, LIMIT)
    assert await all_events(first) == before


async def test_put_after_a_use_was_saved(stores: Stores) -> None:
    """That a token was used does not change what it may do."""
    first, second = stores
    token = await first.add_token(NIGHT, b"digest")
    assert token.revision is not None
    await first.save_token_uses({token.id: 5})
    _, is_new = await second.put(evolve(draft(), token=TokenRevision(token.id, token.revision)), False, LIMIT)
    assert is_new


async def test_put_after_a_change_in_the_same_group(stores: Stores) -> None:
    """A put that is decided in one transaction with a change of its token is compared with the changed token."""
    first, _ = stores
    token = await first.add_token(NIGHT, b"digest")
    assert token.revision is not None
    sent = evolve(draft(), token=TokenRevision(token.id, token.revision))
    changing, putting = first.change_token(token.id, {"name": "day"}), first.put(sent, False, LIMIT)
    with pytest.raises(AdmissionChanged):
        await putting
    assert (await changing).name == "day"
