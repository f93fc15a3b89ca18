"""Tests of tokens: found by their secrets, expired, changed, rotated and revoked while the server runs."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from pushd.core.credentials import digest as digest_of
from pushd.core.devices.admission import Access
from pushd.core.tokens import MAX_REFUSALS, Tokens
from pushd.model.device import ProofKind
from pushd.model.errors import InvalidFields, LastAdmin, NameTaken, NotAuthenticated, Unavailable, UnknownToken
from pushd.model.token import Role, Token, TokenSecret
from pushd.store.filters import StartupSnapshot
from tests.core.conftest import HarnessBuilder
from tests.core.harness import CONTAINER, CoreHarness
from tests.stepped import SteppedStore
from tests.token_file import MemoryTokenFile, add_file_token


@pytest.fixture
def tokens(harness: CoreHarness) -> Tokens:
    """The tokens of a running server."""
    return harness.core.tokens


def in_seconds(harness: CoreHarness, seconds: float) -> int:
    """A time from now, as ``expires_at``."""
    return harness.core.clocks.wall_now() + round(seconds * 1000)


def found(tokens: Tokens, secret: str) -> Token:
    """The token of a valid secret."""
    token = tokens.find(secret)
    assert token is not None
    return token


def wait_for(tokens: Tokens, secret: str) -> list[object]:
    """Wait for a client of a token; what the wait ends with is put into the list."""
    waiting: Deferred[object] = Deferred()
    ended: list[object] = []
    waiting.addCallback(ended.append)
    tokens.waits(found(tokens, secret)).add(waiting)
    return ended


def file_of(tokens: Tokens) -> MemoryTokenFile:
    """The file of the admin token."""
    file: Any = tokens.file
    assert isinstance(file, MemoryTokenFile)
    return file


def first_token(harness: CoreHarness) -> Token:
    """The token of the file, as the first start makes it."""
    file_of(harness.core.tokens).secret = "the-first"
    return add_file_token(harness.core.tokens, "the-first")


def test_a_token_is_found_by_its_secret(harness: CoreHarness, tokens: Tokens) -> None:
    """A client that sends the secret has the token's name, role and scope."""
    secret = harness.make_token("night shift", Role.OPERATOR, sites=("Lobby",))
    token = found(tokens, secret)
    assert (token.name, token.role, token.sites) == ("night shift", Role.OPERATOR, ("Lobby",))
    assert token.scope is not None


def test_a_guess_finds_nothing(harness: CoreHarness, tokens: Tokens) -> None:
    """Neither a part of a secret nor its stored hash is accepted."""
    secret = harness.make_token("night", Role.ADMIN)
    guesses = ("", secret[:-1], secret + "=", digest_of(secret).hex(), "\udcff")
    assert all(tokens.find(guess) is None for guess in guesses)


def test_the_repr_of_a_token_hides_its_secret(harness: CoreHarness, tokens: Tokens) -> None:
    """A token in memory, or in a log, does not reveal its secret."""
    secret = harness.make_token("night", Role.ADMIN)
    assert secret not in repr(tokens.find(secret))
    assert secret not in repr(tokens)


def test_a_token_expires(harness: CoreHarness, tokens: Tokens) -> None:
    """At its time a token is invalid, what waits for its clients ends within a second, and it is still listed."""
    secret = harness.make_token("night", Role.VIEWER, expires_at=in_seconds(harness, 10))
    ended = wait_for(tokens, secret)
    token = found(tokens, secret)
    harness.clock.advance(9.9)
    tokens.end_expired()
    assert (tokens.find(secret), ended) == (token, [])
    harness.clock.advance(0.1)
    assert tokens.find(secret) is None
    tokens.end_expired()
    assert ended == [False]
    with pytest.raises(NotAuthenticated):
        tokens.waits(token)
    assert [each.name for each in tokens.all()] == ["night"]


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_steps_of_the_clock_end_and_revive_no_token(harness: CoreHarness, tokens: Tokens, step: float) -> None:
    """A token is valid for as long as it was made for, even if the wall clock is set."""
    secret = harness.make_token("night", Role.VIEWER, expires_at=in_seconds(harness, 60))
    harness.wall.offset += step
    harness.clock.advance(59)
    assert tokens.find(secret) is not None
    harness.clock.advance(1)
    assert tokens.find(secret) is None


def test_an_expired_token_is_extended(harness: CoreHarness, tokens: Tokens) -> None:
    """A later expiry makes a token valid again."""
    secret = harness.make_token("night", Role.VIEWER, expires_at=in_seconds(harness, 1))
    name = found(tokens, secret).id
    harness.clock.advance(1)
    tokens.end_expired()
    harness.result(tokens.change(name, {"expires_at": None}))
    assert found(tokens, secret).expires_at is None


def test_a_change_counts_at_once(harness: CoreHarness, tokens: Tokens) -> None:
    """A new scope counts from the next request on, and what waited with the old one ends."""
    secret = harness.make_token("lobby", Role.VIEWER, sites=("Lobby",))
    ended, before = wait_for(tokens, secret), found(tokens, secret)
    changed = harness.result(tokens.change(before.id, {"sites": ("Yard",), "name": "yard"}))
    assert (changed.name, found(tokens, secret).sites, ended) == ("yard", ("Yard",), [False])
    with pytest.raises(NotAuthenticated):
        tokens.waits(before)


def test_revoked(harness: CoreHarness, tokens: Tokens) -> None:
    """A revoked token is invalid at once, and what waits for its clients ends; others are not affected."""
    secret, other = harness.make_token("eyes", Role.VIEWER), harness.make_token("others", Role.VIEWER)
    ended, others = wait_for(tokens, secret), wait_for(tokens, other)
    harness.result(tokens.delete(found(tokens, secret).id))
    assert (tokens.find(secret), ended, others) == (None, [False], [])
    assert [each.name for each in tokens.all()] == ["others"]


def test_rotated_without_overlap(harness: CoreHarness, tokens: Tokens) -> None:
    """Without an overlap the old secret is invalid at once, and what waits with it ends."""
    old = harness.make_token("eyes", Role.VIEWER)
    ended, token = wait_for(tokens, old), found(tokens, old)
    rotated, new = harness.result(tokens.rotate(token.id, 0))
    assert (rotated.id, found(tokens, new).id) == (token.id, token.id)
    assert (tokens.find(old), ended) == (None, [False])


def test_rotated_with_overlap(harness: CoreHarness, tokens: Tokens) -> None:
    """Both secrets are valid for the overlap, and what waits with either goes on; then the old one ends alone."""
    old = harness.make_token("eyes", Role.VIEWER)
    ended_old, name = wait_for(tokens, old), found(tokens, old).id
    _, new = harness.result(tokens.rotate(name, 60))
    ended_new = wait_for(tokens, new)
    harness.clock.advance(59)
    tokens.end_expired()
    assert found(tokens, old).id == found(tokens, new).id == name
    assert (ended_old, ended_new) == ([], [])
    harness.clock.advance(1)
    tokens.end_expired()
    assert tokens.find(old) is None
    assert tokens.find(new) is not None
    assert (ended_old, ended_new) == ([False], [])


def test_a_second_rotation_ends_the_older_secret(harness: CoreHarness, tokens: Tokens) -> None:
    """At most two secrets of a token are valid."""
    first = harness.make_token("eyes", Role.VIEWER)
    name = found(tokens, first).id
    _, second = harness.result(tokens.rotate(name, 60))
    _, third = harness.result(tokens.rotate(name, 60))
    assert [tokens.find(secret) is not None for secret in (first, second, third)] == [False, True, True]


def test_a_change_during_an_overlap(harness: CoreHarness, tokens: Tokens) -> None:
    """A new scope also counts for the old secret, whose overlap goes on."""
    old = harness.make_token("eyes", Role.VIEWER)
    name = found(tokens, old).id
    harness.result(tokens.rotate(name, 60))
    harness.result(tokens.change(name, {"tags": ("a",)}))
    assert found(tokens, old).tags == ("a",)
    harness.clock.advance(60)
    assert tokens.find(old) is None


def test_when_a_token_was_used_is_shown_at_once(harness: CoreHarness, tokens: Tokens) -> None:
    """Lists show the latest use, which is saved with the clocks, every minute."""
    secret = harness.make_token("eyes", Role.VIEWER)
    [token] = tokens.all()
    assert token.last_used_at is None
    tokens.find(secret)
    used_at = harness.core.clocks.wall_now()
    assert tokens.get(token.id).last_used_at == used_at
    harness.clock.advance(5)
    harness.result(harness.core.save_clocks())
    assert tokens.get(token.id).last_used_at == used_at


def test_nothing_is_kept_of_tokens_that_were_revoked(harness: CoreHarness, tokens: Tokens) -> None:
    """However many tokens come and go, memory has only those that are left."""
    for saves in (True, False):
        secret = harness.make_token("guest", Role.VIEWER)
        name = found(tokens, secret).id
        if saves:
            harness.result(tokens.save_uses())
        harness.result(tokens.delete(name))
        harness.result(tokens.save_uses())
    assert (tokens._used, tokens._saved) == ({}, {})


@pytest.mark.parametrize(
    ("role", "fields", "pointers"),
    [
        (Role.ADMIN, {"devices": (), "endpoints": ("open",)}, ["#/devices", "#/endpoints"]),
        (Role.DEVICE, {"sites": ("Lobby",), "endpoints": ("open",)}, ["#/endpoints"]),
        (Role.VIEWER, {"expires_at": 1}, ["#/expires_at"]),
    ],
)
def test_what_a_role_does_not_take(
    harness: CoreHarness, tokens: Tokens, role: Role, fields: dict[str, Any], pointers: list[str]
) -> None:
    """An admin cannot be limited, devices send no commands, and no token is made that has expired."""
    with pytest.raises(InvalidFields) as made:
        harness.make_token("x", role, **fields)
    name = found(tokens, harness.make_token("y", role)).id
    harness.make_token("z", Role.ADMIN)
    with pytest.raises(InvalidFields) as changed:
        harness.result(tokens.change(name, fields))
    for refused in (made, changed):
        assert [error.pointer for error in refused.value.errors] == pointers


def test_unknown(harness: CoreHarness, tokens: Tokens) -> None:
    """A token that does not exist cannot be shown, changed, rotated or revoked."""
    for call in (tokens.change("x", {}), tokens.rotate("x", 0), tokens.delete("x")):
        with pytest.raises(UnknownToken):
            harness.result(call)
    with pytest.raises(UnknownToken):
        tokens.get("x")


# The token of the file


def test_rotating_the_token_of_the_file_rewrites_it(harness: CoreHarness, tokens: Tokens) -> None:
    """The file has the new secret, which is valid."""
    token = first_token(harness)
    _, secret = harness.result(tokens.rotate(token.id, 0))
    assert file_of(tokens).secret == secret
    assert found(tokens, secret).is_file


def test_a_file_that_cannot_be_written(harness: CoreHarness, tokens: Tokens) -> None:
    """If the file cannot be rewritten, the token keeps its secret."""
    token = first_token(harness)
    file_of(tokens).is_read_only = True
    with pytest.raises(Unavailable, match="Read-only"):
        harness.result(tokens.rotate(token.id, 0))
    assert tokens.find("the-first") is not None


def test_a_store_that_fails_leaves_the_file_as_it_was(harness: CoreHarness, tokens: Tokens) -> None:
    """If the rotation cannot be stored, the file has the secret that is valid."""
    token = first_token(harness)
    harness.result(harness.core.store.close())
    with pytest.raises(Unavailable):
        harness.result(tokens.rotate(token.id, 0))
    assert file_of(tokens).secret == "the-first"
    assert tokens.find("the-first") is not None


def stepped_file_token(builder: HarnessBuilder, store: SteppedStore) -> tuple[CoreHarness, Token]:
    """The same with a store that works only when the test says so, and another token for admins."""
    harness = builder.build(store=store)
    tokens = harness.core.tokens
    token, hashed = tokens.make_file_token(), digest_of("the-first")
    harness.result(store.add_token(token, hashed))
    secret = TokenSecret(digest=hashed, token=token.id)
    tokens.load(StartupSnapshot(now=tokens.clocks.now(), tokens=(token,), token_secrets=(secret,)))
    file_of(tokens).secret = "the-first"
    harness.make_token("other", Role.ADMIN)
    return harness, token


def test_rotations_at_once_that_fail_leave_the_file_as_it_was(builder: HarnessBuilder, store: SteppedStore) -> None:
    """If two rotations at once cannot be stored, the file has the secret that is valid."""
    harness, token = stepped_file_token(builder, store)
    rotations = [harness.start(harness.core.tokens.rotate(token.id, 0)) for _ in range(2)]
    while store.executor.submitted:
        store.executor.fail()
        store.executor.notify()
    for rotation in rotations:
        with pytest.raises(Unavailable):
            harness.result(rotation)
    assert file_of(harness.core.tokens).secret == "the-first"


def test_a_rotation_while_the_token_is_deleted_leaves_no_file(builder: HarnessBuilder, store: SteppedStore) -> None:
    """A rotation that comes with the end of its token writes no file that the next start would refuse."""
    harness, token = stepped_file_token(builder, store)
    deleting = harness.start(harness.core.tokens.delete(token.id))
    rotating = harness.start(harness.core.tokens.rotate(token.id, 0))
    harness.result(deleting)
    with pytest.raises(UnknownToken):
        harness.result(rotating)
    assert file_of(harness.core.tokens).secret is None


def test_deleting_the_token_of_the_file_deletes_it(harness: CoreHarness, tokens: Tokens) -> None:
    """The file goes with its token; but the last admin token, and its file, stay."""
    token = first_token(harness)
    with pytest.raises(LastAdmin):
        harness.result(tokens.delete(token.id))
    assert file_of(tokens).secret == "the-first"
    harness.make_token("other", Role.ADMIN)
    harness.result(tokens.delete(token.id))
    assert file_of(tokens).secret is None
    assert tokens.find("the-first") is None


def test_the_name_of_the_file_token_is_reserved(harness: CoreHarness, tokens: Tokens) -> None:
    """No other token can have the name, even if there is no file, and the token of the file keeps it."""
    with pytest.raises(NameTaken):
        harness.make_token("admin", Role.ADMIN)
    name = found(tokens, harness.make_token("other", Role.ADMIN)).id
    with pytest.raises(NameTaken):
        harness.result(tokens.change(name, {"name": "admin"}))
    token = first_token(harness)
    with pytest.raises(NameTaken):
        harness.result(tokens.change(token.id, {"name": "boss"}))
    assert harness.result(tokens.change(token.id, {"name": "admin"})).is_file


# Wrong tokens


def test_wrong_tokens_are_refused_slowly(harness: CoreHarness, tokens: Tokens) -> None:
    """A wrong token is refused after a second; beyond 64 that wait, at once."""
    refused: list[object] = []
    for _ in range(MAX_REFUSALS + 1):
        refusing = Deferred.fromCoroutine(tokens.refuse())
        refusing.addErrback(lambda failure: refused.append(failure.trap(NotAuthenticated)))
    assert len(refused) == 1
    harness.clock.advance(0.9)
    assert len(refused) == 1
    harness.clock.advance(0.1)
    assert len(refused) == MAX_REFUSALS + 1
    Deferred.fromCoroutine(tokens.refuse()).addErrback(refused.append)
    assert len(refused) == MAX_REFUSALS + 1
    harness.clock.advance(1)


# Keys of devices


def test_a_device_token_proves_devices_in_its_scope(harness: CoreHarness, tokens: Tokens) -> None:
    """A token with the role device is the key of the devices that it selects, by their present site and tags."""
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    key = harness.make_token("fleet", Role.DEVICE, sites=("Lobby",))
    assert harness.access(CONTAINER, api_key=key) is Access.REFUSED
    harness.result(harness.core.registry.change(CONTAINER, {"site": "Lobby"}))
    assert harness.access(CONTAINER, api_key=key) is Access.SERVED


def test_the_end_of_a_device_token_ends_no_other_poll(harness: CoreHarness, tokens: Tokens) -> None:
    """A poll of a device that the token could not prove goes on."""
    key = harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    other = harness.make_token("other site", Role.DEVICE, sites=("Yard",))
    poll = harness.poll(CONTAINER, api_key=key)
    harness.result(tokens.delete(found(tokens, other).id))
    harness.clock.advance(1)
    assert poll.held
    poll.disconnect()


def test_a_device_token_that_has_ended_proves_nothing(harness: CoreHarness, tokens: Tokens) -> None:
    """When a token for devices expires or is revoked, polls that are held with it end without commands."""
    harness.issue_credential(CONTAINER, ProofKind.API_KEY)
    key = harness.make_token("fleet", Role.DEVICE, expires_at=in_seconds(harness, 3))
    poll = harness.poll(CONTAINER, api_key=key)
    harness.clock.advance(3)
    tokens.end_expired()
    harness.put(CONTAINER)
    harness.clock.advance(1)
    assert poll.idle
    assert harness.access(CONTAINER, api_key=key) is Access.REFUSED
