"""Tests of tokens in the store."""

from typing import Any

import pytest
from attrs import asdict, evolve

from pushd.model.errors import LastAdmin, NameTaken, TooManyTokens, UnknownToken
from pushd.model.token import Role, Token, TokenSecret
from pushd.store.filters import StartOptions, StartupSnapshot
from pushd.store.interface import IStore
from pushd.store.transactions import tokens
from tests.store.clock import when
from tests.store.conftest import StoreUnderTest
from tests.store.samples import READER, at, wall

LASTING = pytest.mark.parametrize("kind", ["file", "threads", "postgres"])


def token(name: str, role: Role = Role.ADMIN, **fields: Any) -> Token:
    """A token whose id is made of its name."""
    return Token(id=f"id-{name}", name=name, role=role, created_at=wall(), **fields)


def secret(name: str, digest: bytes, expires_at: int | None = None) -> TokenSecret:
    """A secret of such a token."""
    return TokenSecret(digest=digest, token=f"id-{name}", expires_at=expires_at)


async def stored(under_test: StoreUnderTest) -> StartupSnapshot:
    """What the next start finds."""
    return await under_test.restart(at(5))


def fields(found: Token) -> dict[str, Any]:
    """The fields of a token, to compare."""
    return asdict(evolve(found, revision=None))


@LASTING
async def test_tokens_are_there_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """A token is valid after a restart, with its role, its scope and its expiry."""
    scoped = token(
        "lobby",
        Role.OPERATOR,
        devices=(READER,),
        sites=(),
        tags=("a", "b"),
        endpoints=("open",),
        expires_at=wall(60),
        expires_elapsed=wall(60),
        created_by="admin",
    )
    await store.add_token(token("night"), b"a")
    await store.add_token(scoped, b"b")
    known = await stored(under_test)
    assert [fields(each) for each in known.tokens] == [fields(scoped), fields(token("night"))]
    assert set(known.token_secrets) == {secret("night", b"a"), secret("lobby", b"b")}


async def test_names_are_unique(store: IStore) -> None:
    """A name that another token has is refused, in a new token and in a change."""
    await store.add_token(token("night"), b"a")
    await store.add_token(token("day"), b"b")
    with pytest.raises(NameTaken):
        await store.add_token(Token(id="other", name="night", role=Role.VIEWER), b"c")
    with pytest.raises(NameTaken):
        await store.change_token("id-day", {"name": "night"})
    assert (await store.change_token("id-day", {"name": "day"})).name == "day"


async def test_the_number_of_tokens_is_limited(store: IStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tokens are in memory, so they cannot be any number."""
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    await store.add_token(token("night"), b"a")
    with pytest.raises(TooManyTokens):
        await store.add_token(token("day"), b"b")


async def test_changes(store: IStore) -> None:
    """Fields are changed by name; a selector can be taken away, and the expiry also counts in elapsed time."""
    await when(store, at()).add_token(token("night"), b"")
    await when(store, at()).add_token(token("lobby", Role.VIEWER, sites=("Lobby",), tags=("a",)), b"b")
    changes = {"sites": None, "tags": ("b", "c"), "name": "yard", "expires_at": wall(9)}
    found = await when(store, at(2)).change_token("id-lobby", changes)
    assert (found.name, found.sites, found.tags, found.role) == ("yard", None, ("b", "c"), Role.VIEWER)
    assert (found.expires_at, found.expires_elapsed) == (wall(9), at(2).elapsed_at(wall(9)))
    found = await when(store, at(2)).change_token("id-lobby", {"expires_at": None})
    assert (found.expires_at, found.expires_elapsed, found.tags) == (None, None, ("b", "c"))


async def test_rotation(store: IStore) -> None:
    """The current secret stays valid for the overlap; the one before it ends at once, and so do all without one."""
    await when(store, at()).add_token(token("night"), b"one")
    second = await when(store, at()).rotate_token("id-night", b"two", 60.0)
    assert set(second.secrets) == {secret("night", b"one", wall(60)), secret("night", b"two")}
    third = await when(store, at(1)).rotate_token("id-night", b"three", 60.0)
    assert set(third.secrets) == {secret("night", b"two", wall(61)), secret("night", b"three")}
    assert (await when(store, at(2)).rotate_token("id-night", b"four", 0.0)).secrets == [secret("night", b"four")]


@LASTING
async def test_expired_secrets_are_dropped(under_test: StoreUnderTest, store: IStore) -> None:
    """When the clocks are saved, secrets whose overlap is over are deleted."""
    await when(store, at()).add_token(token("night"), b"one")
    await when(store, at()).rotate_token("id-night", b"two", 3.0)
    await when(store, at(3)).save_clocks(0)
    assert (await stored(under_test)).token_secrets == (secret("night", b"two"),)


@LASTING
async def test_revoked(under_test: StoreUnderTest, store: IStore) -> None:
    """A revoked token is gone with its secrets, also after a restart."""
    await store.add_token(token("night"), b"a")
    await store.add_token(token("day"), b"b")
    await store.delete_token("id-day")
    known = await stored(under_test)
    assert [each.name for each in known.tokens] == ["night"]
    assert known.token_secrets == (secret("night", b"a"),)


async def test_the_last_admin_stays(store: IStore) -> None:
    """The last admin token without an expiry can neither be revoked nor get one."""
    expiring = token("week", expires_at=wall(9), expires_elapsed=wall(9))
    await store.add_token(token("night"), b"a")
    await store.add_token(expiring, b"b")
    await store.add_token(token("eyes", Role.VIEWER), b"c")
    with pytest.raises(LastAdmin):
        await store.delete_token("id-night")
    with pytest.raises(LastAdmin):
        await store.change_token("id-night", {"expires_at": wall(9)})
    await store.change_token("id-week", {"expires_at": None})
    await store.delete_token("id-night")
    with pytest.raises(LastAdmin):
        await store.delete_token("id-week")


async def test_unknown(store: IStore) -> None:
    """A token that does not exist cannot be changed, rotated or revoked."""
    for call in (
        lambda: store.change_token("none", {"name": "x"}),
        lambda: store.rotate_token("none", b"x", 0.0),
        lambda: store.delete_token("none"),
    ):
        with pytest.raises(UnknownToken):
            await call()


@LASTING
async def test_uses_are_saved(under_test: StoreUnderTest, store: IStore) -> None:
    """When a token was last used is known after a restart; of a revoked one nothing is saved."""
    await store.add_token(token("night"), b"a")
    await store.save_token_uses({"id-night": wall(3), "none": wall(4)})
    assert [each.last_used_at for each in (await stored(under_test)).tokens] == [wall(3)]


def start(under_test: StoreUnderTest, name: bytes, *, if_needed: bool) -> StartupSnapshot:
    """Open the store with a new token for the file."""
    new = Token(id=f"id-{name.hex()}", name="admin", role=Role.ADMIN)
    options = StartOptions(token=new, token_digest=name, token_if_needed=if_needed)
    return under_test.open(at(), options)


@pytest.mark.parametrize("kind", ["file", "threads"])
async def test_the_token_of_the_file(under_test: StoreUnderTest, store: IStore) -> None:
    """A start without a file makes a token if none that lasts is left, or in place of the one whose file is gone."""
    await under_test.close()
    assert [each.digest for each in start(under_test, b"one", if_needed=True).token_secrets] == [b"one"]
    await under_test.close()
    assert [each.digest for each in start(under_test, b"two", if_needed=True).token_secrets] == [b"two"]
    await under_test.store.add_token(token("night"), b"night")
    [file] = [each.id for each in (await stored(under_test)).tokens if each.name == "admin"]
    await under_test.store.delete_token(file)
    await under_test.close()
    assert [each.digest for each in start(under_test, b"three", if_needed=True).token_secrets] == [b"night"]
    await under_test.close()
    known = start(under_test, b"four", if_needed=False)
    assert {each.digest for each in known.token_secrets} == {b"night", b"four"}


@LASTING
async def test_deleted_devices_are_known(under_test: StoreUnderTest, store: IStore) -> None:
    """After a restart it is known where a deleted device was, until it is registered again."""
    await store.change_device(READER, {"site": "Yard", "tags": ("a",)})
    assert (await stored(under_test)).deleted == {}
    await under_test.store.forget_device(READER)
    found = (await stored(under_test)).deleted[READER]
    assert (found.site, found.tags) == ("Yard", ("a",))


@pytest.mark.parametrize("kind", ["postgres"])
async def test_one_node_makes_the_first_token(under_test: StoreUnderTest, store: IStore) -> None:
    """A start without a file makes a token only if none that lasts is left: the others may be in the files of other
    nodes.
    """
    await under_test.close()
    assert [each.digest for each in start(under_test, b"one", if_needed=True).token_secrets] == [b"one"]
    await under_test.close()
    assert [each.digest for each in start(under_test, b"two", if_needed=True).token_secrets] == [b"one"]
