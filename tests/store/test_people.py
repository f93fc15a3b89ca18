"""Tests of people, invitations and sessions in the store."""

from typing import Any

import pytest
from attrs import asdict, evolve

from pushd.model.errors import InvalidFields, NameTaken, NotAuthenticated, UnknownPerson, UnknownSession
from pushd.model.person import Invitation, Person
from pushd.model.session import MAX_AGE, MAX_IDLE, Session
from pushd.model.timestamps import Now
from pushd.model.token import Role, Token
from pushd.store.filters import StartupSnapshot
from pushd.store.interface import IStore
from tests.store.conftest import StoreUnderTest
from tests.store.samples import READER, at, wall

LASTING = pytest.mark.parametrize("kind", ["file", "threads", "postgres"])


def person(name: str, role: Role = Role.OPERATOR, **limits: Any) -> Person:
    """A person."""
    return Person(name=name, role=role, secret=f"of {name}", created_by="admin", created_at=wall(), **limits)


def session(name: str, **fields: Any) -> Session:
    """A session whose digest is its name."""
    times = {"created_at": wall(), "last_used_at": wall(), "created_elapsed": wall(), "used_elapsed": wall()}
    return Session(id=name, digest=name.encode(), **{**times, **fields})


def invitation(name: str, digest: bytes = b"link") -> Invitation:
    """An invitation of a person for ten minutes."""
    return Invitation(person=name, digest=digest, expires_at=wall(600))


async def stored(under_test: StoreUnderTest) -> StartupSnapshot:
    """What the next start finds."""
    return await under_test.restart(at(5))


def shown(*found: Any) -> list[dict[str, Any]]:
    """Values, to compare."""
    return sorted(map(asdict, found), key=str)


@LASTING
async def test_people_are_there_after_a_restart(under_test: StoreUnderTest, store: IStore) -> None:
    """People, their invitations and their sessions are there after a restart, as they were."""
    ana = person("ana", devices=(READER,), sites=(), tags=("a", "b"), endpoints=("open",))
    token = Token(id="t", name="night", role=Role.VIEWER, created_at=wall())
    await store.add_token(token, b"secret")
    await store.add_person(ana)
    await store.add_person(person("eva"))
    await store.invite(invitation("ana", b"first"), wall(600))
    await store.invite(invitation("ana"), wall(600))
    of_ana = session("a", person="ana", address="192.0.2.17", user_agent="Firefox")
    of_token = session("b", token_digest=b"secret")
    await store.add_session(of_ana, None, [])
    await store.add_session(of_token, None, [])
    known = await stored(under_test)
    assert shown(*known.people) == shown(ana, person("eva"))
    assert list(known.invitations) == [invitation("ana")]
    assert shown(*known.sessions) == shown(of_ana, of_token)


async def test_a_person_is_changed(store: IStore) -> None:
    """A change returns the person as it is then; what the role does not take changes nothing."""
    await store.add_person(person("ana", sites=("Lobby",)))
    with pytest.raises(InvalidFields):
        await store.change_person("ana", {"role": Role.ADMIN})
    changed = await store.change_person("ana", {"role": Role.ADMIN, "sites": None})
    assert (changed.role, changed.sites) == (Role.ADMIN, None)
    with pytest.raises(InvalidFields):
        await store.change_person("ana", {"tags": ("door",)})
    assert (await store.change_person("ana", {})).tags is None
    with pytest.raises(UnknownPerson):
        await store.change_person("eva", {"role": Role.VIEWER})


async def test_a_name_is_given_once(store: IStore) -> None:
    """No person has the name of a token or of another person, and no token that of a person."""
    token = Token(id="t", name="night", role=Role.VIEWER, created_at=wall())
    await store.add_token(token, b"a")
    await store.add_person(person("ana"))
    for name in ("night", "ana"):
        with pytest.raises(NameTaken):
            await store.add_person(person(name))
    with pytest.raises(NameTaken):
        await store.add_token(evolve(token, id="u", name="ana"), b"b")
    with pytest.raises(NameTaken):
        await store.change_token("t", {"name": "ana"})
    assert (await store.change_token("t", {"name": "night"})).name == "night"


async def test_an_invitation_is_used_once(store: IStore) -> None:
    """Of two log-ins with one invitation, the second adds no session."""
    await store.add_person(person("ana"))
    await store.invite(invitation("ana"), wall(600))
    await store.add_session(session("a", person="ana"), invitation("ana"), [])
    with pytest.raises(NotAuthenticated):
        await store.add_session(session("b", person="ana"), invitation("ana"), [])
    with pytest.raises(UnknownSession):
        await store.delete_session("b")
    await store.delete_session("a")


async def test_an_unknown_person(store: IStore) -> None:
    """An invitation needs a person."""
    with pytest.raises(UnknownPerson):
        await store.invite(invitation("ana"), wall(600))


@LASTING
async def test_a_person_is_deleted(under_test: StoreUnderTest, store: IStore) -> None:
    """With a person go the sessions and the invitation, and no others."""
    for name in ("ana", "eva"):
        await store.add_person(person(name))
        await store.invite(invitation(name, name.encode()), wall(600))
        await store.add_session(session(name, person=name), None, [])
    await store.delete_person("ana")
    with pytest.raises(UnknownPerson):
        await store.delete_person("ana")
    known = await stored(under_test)
    assert [each.name for each in known.people] == ["eva"]
    assert [each.person for each in known.invitations] == ["eva"]
    assert [each.person for each in known.sessions] == ["eva"]


@LASTING
async def test_sessions_that_have_ended_are_deleted(under_test: StoreUnderTest, store: IStore) -> None:
    """When uses are saved, sessions go that are too old, were idle for too long, or whose token has gone."""
    await store.add_token(Token(id="t", name="night", role=Role.VIEWER, created_at=wall()), b"secret")
    await store.add_person(person("ana"))
    await store.add_session(session("of token", token_digest=b"secret"), None, [])
    await store.add_session(session("of nothing", token_digest=b"gone"), None, [])
    await store.add_session(session("idle", person="ana", used_elapsed=wall() - MAX_IDLE), None, [])
    await store.add_session(session("used", person="ana", used_elapsed=wall() - MAX_IDLE), None, [])
    await store.add_session(session("old", person="ana", created_elapsed=wall() - MAX_AGE), None, [])
    await store.add_session(session("replaced", person="ana"), None, [])
    await store.add_session(session("new", person="ana"), None, ["replaced"])
    left = await store.save_session_uses({"used": Now(wall(1), wall(1))})
    assert {each.id for each in left} == {"of token", "used", "new"}
    known = {each.id: each for each in (await stored(under_test)).sessions}
    assert known.keys() == {"of token", "used", "new"}
    assert (known["used"].last_used_at, known["used"].used_elapsed) == (wall(1), wall(1))
