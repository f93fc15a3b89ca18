"""Tests of what memory keeps when another process changes the database."""

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from pushd.core.copies import RETRY_SECONDS
from pushd.core.credentials import digest
from pushd.core.waiters import Waits
from pushd.model.actor import Actor
from pushd.model.device import Proof, ProofKind
from pushd.model.person import Person
from pushd.model.token import Role, Token
from pushd.store.copies import Copied, StoredDevice
from tests.core.harness import READER, CoreHarness
from tests.results import result_of
from tests.stepped import SteppedExecutor

ADMIN = Actor(name="admin", address=None)


def ends(waits: Waits) -> list[object]:
    """What a wait among these ends with is put into the list."""
    waiting: Deferred[object] = Deferred()
    ended: list[object] = []
    waiting.addCallback(ended.append)
    waits.add(waiting)
    return ended


def add_elsewhere(harness: CoreHarness, secret: str) -> Token:
    """Another process makes a token."""
    token = Token(id="01890a5d-ac96-774b-bcce-b302099a8057", name="night", role=Role.VIEWER)
    result_of(harness.core.store.by(ADMIN).add_token(token, digest(secret)))
    return token


def test_token_that_another_process_made(harness: CoreHarness) -> None:
    """A token that another process has made is valid, and other tokens and what waits for them stay."""
    own, secret = result_of(harness.core.tokens.add("day", Role.VIEWER))
    ended = ends(harness.core.tokens.waits(harness.core.tokens.find(secret) or own))
    add_elsewhere(harness, "the-secret")
    assert harness.core.tokens.find("the-secret") is None
    harness.core.copies.read_again([Copied.PRINCIPALS])
    assert harness.core.tokens.find("the-secret") is not None
    assert ended == []


@pytest.mark.parametrize("change", ["revoke", "narrow", "rotate"])
def test_token_that_another_process_ended(harness: CoreHarness, change: str) -> None:
    """A token that another process has revoked, narrowed or rotated is not valid as it was, and its waits end."""
    core = harness.core
    token, secret = result_of(core.tokens.add("day", Role.VIEWER))
    ended = ends(core.tokens.waits(core.tokens.find(secret) or token))
    store = core.store.by(ADMIN)
    if change == "revoke":
        result_of(store.delete_token(token.id))
    elif change == "narrow":
        result_of(store.change_token(token.id, {"sites": ("Lisbon",)}))
    else:
        result_of(store.rotate_token(token.id, digest("another"), 0.0))
    core.copies.read_again([Copied.PRINCIPALS])
    found = core.tokens.find(secret)
    assert found is None if change != "narrow" else found is not None and found.sites == ("Lisbon",)
    assert ended == [False]


def test_person_that_another_process_changed(harness: CoreHarness) -> None:
    """A person whom another process has added, changed or deleted is known so here, and waits end."""
    core = harness.core
    ana = Person(name="ana", role=Role.VIEWER, secret="s", created_at=0)
    result_of(core.store.by(ADMIN).add_person(ana))
    core.copies.read_again([Copied.PRINCIPALS])
    known = core.people.get("ana")
    ended = ends(core.people.waits(known))
    core.copies.read_again([Copied.PRINCIPALS])
    assert (core.people.get("ana"), ended) == (known, [])
    result_of(core.store.by(ADMIN).change_person("ana", {"role": Role.OPERATOR}))
    core.copies.read_again([Copied.PRINCIPALS])
    assert core.people.get("ana").role is Role.OPERATOR
    assert ended == [False]
    result_of(core.store.by(ADMIN).delete_person("ana"))
    core.copies.read_again([Copied.PRINCIPALS])
    assert core.people.find("ana") is None


def test_device_that_another_process_changed(harness: CoreHarness) -> None:
    """A device that another process has given a secret has to prove it; one that it has deleted is unknown."""
    core = harness.core
    device = core.registry.get_or_raise(READER)
    proof = Proof(device=READER, kind=ProofKind.SECRET, digest=digest("path"), expires_at=None)
    core.copies.change_devices({READER: StoredDevice(evolve(device, site="Lisbon"), [proof])})
    assert core.registry.owner_of_path("path") == READER
    assert core.registry.required_credentials[READER] == {ProofKind.SECRET}
    assert core.registry.get_or_raise(READER).site == "Lisbon"
    core.copies.change_devices({READER: None})
    assert core.registry.get(READER) is None
    assert core.registry.owner_of_path("path") is None
    assert READER not in core.registry.required_credentials


def test_database_that_cannot_be_read(stepped: CoreHarness, executor: SteppedExecutor, clock: Clock) -> None:
    """What cannot be read is read again, until it can."""
    copies, tokens = stepped.core.copies, stepped.core.tokens
    added = tokens.store.add_token(Token(id="t", name="night", role=Role.VIEWER), digest("the-secret"))
    executor.run()
    result_of(added)
    copies.read_again([Copied.PRINCIPALS])
    executor.fail()
    executor.notify()
    assert tokens.find("the-secret") is None
    clock.advance(RETRY_SECONDS)
    executor.run()
    assert tokens.find("the-secret") is not None
