"""Tests of :mod:`pushd.admin.people`: people are added, changed, invited to log in, and deleted."""

from typing import Any

import pytest

from pushd.core.tokens import REFUSAL_DELAY
from pushd.model import person
from pushd.model.token import Role
from tests.admin.dashboard_page import OWN, Page, has_ended, opened
from tests.connection import Connection, Response
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.store.clock import new_store

LIMITS: dict[str, Any] = {"devices": ["controlid:7"], "sites": ["Lobby"], "tags": ["door"], "endpoints": ["open"]}


def add(server: InMemoryServer, name: str = "ana", /, **fields: Any) -> dict[str, Any]:
    """A new person, as it is shown."""
    answer = server.ask("POST /v1/people", {"name": name, "role": "operator", **fields})
    assert answer.code == 201, answer.body
    found: dict[str, Any] = answer.json
    return found


def invite(server: InMemoryServer, name: str = "ana") -> str:
    """The secret in a new invitation."""
    answer = server.ask(f"POST /v1/people/{name}/invite")
    assert answer.code == 201, answer.body
    link, _, secret = answer.json["url"].partition("#invite=")
    assert link == "http://pushd.example/login"
    return str(secret)


def spend(server: InMemoryServer, secret: str) -> Connection:
    """Log in with an invitation."""
    return server.begin_as(OWN, "POST /v1/session", {"invite": secret})


def log_in(server: InMemoryServer, name: str = "ana") -> Page:
    """The page that is open once an invited person has logged in."""
    return opened(server, spend(server, invite(server, name)).answer())


def refused(server: InMemoryServer, secret: str) -> Response:
    """The answer to an invitation that is not valid, which takes a second."""
    connection = spend(server, secret)
    assert connection.answers() == []
    server.clock.advance(REFUSAL_DELAY)
    return connection.answer()


def test_a_new_person(server: InMemoryServer) -> None:
    """A person has a role and a scope as a token has, and is found by name."""
    found = add(server, **LIMITS)
    assert found == {
        "name": "ana",
        "role": "operator",
        **LIMITS,
        "created_by": "admin",
        "created_at": "2027-01-15T08:00:00.000Z",
        "invited_until": None,
    }
    assert server.ask("GET /v1/people/ana").json == found
    assert server.ask("GET /v1/people").json == {"items": [found], "next": None}


def test_the_list_has_pages(server: InMemoryServer) -> None:
    """People are listed by name, a page at a time."""
    for name in ("eva", "ana", "João"):
        add(server, name)
    first = server.ask("GET /v1/people?limit=2").json
    second = server.ask(f"GET /v1/people?limit=2&cursor={first['next']}").json
    assert [[each["name"] for each in page["items"]] for page in (first, second)] == [["João", "ana"], ["eva"]]


@pytest.mark.parametrize("name", ["ana@example.org", "João da Silva", "50%", "a?b#c"])
def test_any_name_is_found_by_its_path(server: InMemoryServer, name: str) -> None:
    """What people are called by others, such as their mail addresses, is a name here; the answer says its path."""
    answer = server.ask("POST /v1/people", {"name": name, "role": "viewer"})
    path = answer.headers["location"]
    assert server.ask(f"GET {path}").json["name"] == name
    assert server.ask(f"POST {path}/invite").code == 201
    assert server.ask(f"DELETE {path}").code == 204


@pytest.mark.parametrize("name", ["", " ", " ana", "ana ", "a/b", ".", "..", "a\nb", "x" * 257, 7, None])
def test_no_name(server: InMemoryServer, name: object) -> None:
    """A name that could not stand in a path, or be seen, is refused."""
    [error] = server.ask("POST /v1/people", {"name": name, "role": "viewer"}).problem(422)["errors"]
    assert error["pointer"] == "#/name"


def test_names_are_unique(server: InMemoryServer) -> None:
    """No person has the name of another, or of a token, and no token that of a person: entries name both by it."""
    add(server)
    token = server.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json
    for line, name in (
        ("POST /v1/people", "ana"),
        ("POST /v1/people", "lobby"),
        ("POST /v1/people", "admin"),
        ("POST /v1/tokens", "ana"),
    ):
        assert server.ask(line, {"name": name, "role": "viewer"}).problem(409)["type"] == "name-taken"
    assert server.ask(f"PATCH /v1/tokens/{token['id']}", {"name": "ana"}).problem(409)["type"] == "name-taken"
    assert server.ask("DELETE /v1/people/ana").code == 204
    assert server.ask(f"PATCH /v1/tokens/{token['id']}", {"name": "ana"}).code == 200


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"role": "device"}, "#/role"),
        ({"role": "root"}, "#/role"),
        ({"role": None}, "#/role"),
        ({"role": "admin", "sites": ["Lobby"]}, "#/sites"),
        ({"expires_at": "2027-02-01T00:00:00Z"}, "#/expires_at"),
        ({"devices": ["lobby"]}, "#/devices/0"),
    ],
)
def test_wrong_fields(server: InMemoryServer, fields: dict[str, Any], pointer: str) -> None:
    """What a person cannot have is refused, when it is added and when it is changed."""
    [error] = server.ask("POST /v1/people", {"name": "eva", "role": "viewer", **fields}).problem(422)["errors"]
    assert error["pointer"] == pointer
    add(server)
    [error] = server.ask("PATCH /v1/people/ana", fields).problem(422)["errors"]
    assert error["pointer"] == pointer


def test_too_many_people(server: InMemoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit, as all people are in memory."""
    monkeypatch.setattr("pushd.store.transactions.people.MAX_PEOPLE", 1)
    assert person.MAX_PEOPLE == 1000
    add(server)
    assert server.ask("POST /v1/people", {"name": "eva", "role": "viewer"}).problem(409)["type"] == "too-many-people"


def test_changes(server: InMemoryServer) -> None:
    """Role and scope are changed at once, also of a person who is logged in, whose streams end; the name is not."""
    add(server, **LIMITS)
    page = log_in(server)
    stream = page.begin("GET /v1/events/stream")
    changed = server.ask("PATCH /v1/people/ana", {"role": "viewer", "sites": None, "tags": []}).json
    assert {name: changed[name] for name in ("role", "sites", "tags", "devices")} == {
        "role": "viewer",
        "sites": None,
        "tags": [],
        "devices": ["controlid:7"],
    }
    assert has_ended(stream)
    who = page.read("GET /v1/session").json
    assert (who["role"], who["tags"]) == ("viewer", [])
    [error] = server.ask("PATCH /v1/people/ana", {"name": "eva"}).problem(422)["errors"]
    assert error["pointer"] == "#/name"


def test_the_result_of_a_change_counts(server: InMemoryServer) -> None:
    """A person with a scope becomes no admin, and an admin gets no scope, unless both are changed together."""
    add(server, sites=["Lobby"])
    [error] = server.ask("PATCH /v1/people/ana", {"role": "admin"}).problem(422)["errors"]
    assert error["pointer"] == "#/sites"
    assert server.ask("PATCH /v1/people/ana", {"role": "admin", "sites": None}).code == 200
    server.ask("PATCH /v1/people/ana", {"tags": ["door"]}).problem(422)
    assert server.ask("PATCH /v1/people/ana", {"tags": ["door"], "role": "viewer"}).code == 200


def test_a_person_who_is_not_there(server: InMemoryServer) -> None:
    """Each call about an unknown person is 404."""
    for line, body in (("GET", None), ("PATCH", {"role": "viewer"}), ("DELETE", None)):
        server.ask(f"{line} /v1/people/ana", body).problem(404)
    server.ask("POST /v1/people/ana/invite").problem(404)


def test_an_invitation(server: InMemoryServer) -> None:
    """Who follows the link and logs in may do what the person may, under that name; the link is shown once."""
    add(server, sites=["Lobby"])
    server.register("controlid:7", site="Lobby")
    secret = invite(server)
    shown = server.ask("GET /v1/people/ana")
    assert shown.json["invited_until"] == "2027-01-15T08:10:00.000Z"
    assert secret.encode() not in shown.body
    page = opened(server, spend(server, secret).answer())
    assert server.ask("GET /v1/people/ana").json["invited_until"] is None
    who = page.read("GET /v1/session").json
    assert (who["name"], who["role"], who["sites"], who["means"]) == ("ana", "operator", ["Lobby"], "session")
    sent = page.change("POST /v1/devices/controlid:7/commands", {"payload": {"endpoint": "reboot"}})
    assert (sent.code, sent.json["created_by"]) == (201, "ana")
    [session] = server.ask("GET /v1/sessions").json["items"]
    assert (session["name"], session["by"]) == ("ana", "invitation")


def test_an_invitation_is_used_once(server: InMemoryServer) -> None:
    """A link that was used is refused, slowly; looking at it, as mail scanners do, does not use it up."""
    add(server)
    secret = invite(server)
    server.begin_as("Accept: */*", "GET /login").answers()
    assert spend(server, secret).answer().code == 201
    assert "ask for another" in refused(server, secret).problem(401)["detail"]


def test_an_invitation_is_replaced(server: InMemoryServer) -> None:
    """A new link ends the one before, of the same person alone."""
    add(server)
    add(server, "eva")
    first, other, second = invite(server), invite(server, "eva"), invite(server)
    refused(server, first).problem(401)
    assert spend(server, second).answer().json["name"] == "ana"
    assert spend(server, other).answer().json["name"] == "eva"


@pytest.mark.parametrize("step", [0.0, -3600.0, 3600.0])
def test_an_invitation_ends(server: InMemoryServer, step: float) -> None:
    """After ten minutes a link is too old, even if the wall clock is set."""
    add(server)
    in_time, late = invite(server), ""
    server.wall_offset += step
    server.clock.advance(599)
    assert spend(server, in_time).answer().code == 201
    late = invite(server)
    server.clock.advance(600)
    refused(server, late).problem(401)


def test_a_wrong_invitation(server: InMemoryServer) -> None:
    """A guess is refused, slowly, and so is an invitation as a token, or a token as an invitation."""
    add(server)
    secret = invite(server)
    for guess in ("", secret[:-1], server.token_of(Role.VIEWER)):
        refused(server, guess).problem(401)
    connection = server.begin_as(OWN, "POST /v1/session", {"token": secret})
    server.clock.advance(REFUSAL_DELAY)
    connection.answer().problem(401)


def test_the_link_names_the_server(build_server: BuildServer) -> None:
    """With --base-url links lead there; otherwise to where the admin called the server."""
    server = build_server(base_url="https://push.example.org/pushd")
    add(server)
    url = server.ask("POST /v1/people/ana/invite").json["url"]
    assert url.startswith("https://push.example.org/pushd/login#invite=")


def test_a_link_needs_an_address(server: InMemoryServer) -> None:
    """Without --base-url and Host, which old programs leave out, it is not known where a link could lead."""
    add(server)
    head = f"POST /v1/people/ana/invite HTTP/1.0\r\nAuthorization: Bearer {server.token_of(Role.ADMIN)}\r\n\r\n"
    server.call(head.encode()).answer().problem(400)


def test_a_person_is_deleted(server: InMemoryServer) -> None:
    """Sessions, open streams and the invitation end, and stay so if another person gets the name."""
    add(server)
    page = log_in(server)
    stream, secret = page.begin("GET /v1/events/stream"), invite(server)
    assert server.ask("DELETE /v1/people/ana").code == 204
    assert has_ended(stream)
    page.read("GET /v1/session").problem(401)
    add(server)
    page.read("GET /v1/session").problem(401)
    refused(server, secret).problem(401)
    assert server.ask("GET /v1/sessions").json["items"] == []


def test_two_log_ins_at_once(server: InMemoryServer) -> None:
    """An invitation that two browsers send at the same time lets in only one."""
    add(server)
    secret = invite(server)
    people, sessions = server.core.people, server.core.sessions
    found = people.find_invitation(secret)
    assert found is not None
    first = spend(server, secret)
    people._invitations["ana"] = found  # as it is until the first log-in is committed
    second = spend(server, secret)
    assert first.answer().code == 201
    second.answer().problem(401)
    assert len(sessions.all()) == 1


def test_people_outlive_a_restart(build_server: BuildServer, tmp_path: Any) -> None:
    """People, their invitations and their sessions are there after a restart."""
    server = build_server(new_store(str(tmp_path / "pushd.sqlite")))
    found = add(server, **LIMITS)
    page, secret = log_in(server), invite(server)
    server.fail_store()
    again = build_server(new_store(str(tmp_path / "pushd.sqlite")))
    assert again.ask("GET /v1/people/ana").json == found | {"invited_until": "2027-01-15T08:10:00.000Z"}
    assert Page(again, page.cookie, page.csrf).read("GET /v1/session").json["name"] == "ana"
    assert spend(again, secret).answer().code == 201


def test_secrets_are_stored_hashed(server: InMemoryServer) -> None:
    """Neither the secret of a link nor that of a cookie is in the database, or in what memory shows."""
    add(server)
    page, secret = log_in(server), invite(server)
    cookie = page.cookie.partition("=")[2]
    connection: Any = server.store._writer
    dump = "\n".join(connection.connection.connection.iterdump())
    assert 'INSERT INTO "session"' in dump
    assert not [each for each in (secret, cookie, page.csrf) if each in dump or each in repr(server.core.people)]


def test_refused_log_ins_are_recorded(server: InMemoryServer) -> None:
    """The audit log has each refused log-in, from where it came, but so many only that no client fills the disk."""
    add(server)
    key = server.make_token("readers", Role.DEVICE)
    server.begin_as(OWN, "POST /v1/session", {"token": key}, "User-Agent: curl").answer().problem(403)
    refused(server, "guess").problem(401)
    items = server.ask("GET /v1/audit?object=session:refused").json["items"]
    assert [(each["action"], each["by"], each["from"], each["after"]) for each in items] == [
        ("session.refuse", None, "192.0.2.1", {"by": "token", "user_agent": "curl"}),
        ("session.refuse", None, "192.0.2.1", {"by": "invitation", "user_agent": None}),
    ]
    for _ in range(150):
        server.begin_as(OWN, "POST /v1/session", {"token": key}).answer().problem(403)
    server.clock.advance(60)
    refused(server, "guess").problem(401)
    items = server.ask("GET /v1/audit?object=session:refused&limit=500").json["items"]
    assert len(items) == 101
    assert items[-1]["after"]["suppressed"] == 52


def test_a_refusal_is_answered_without_the_store(server: InMemoryServer) -> None:
    """A wrong token is refused as such, even if that cannot be recorded."""
    server.token_of(Role.ADMIN)
    server.fail_store()
    refused(server, "guess").problem(401)


def test_waits_of_a_person_are_kept_once(server: InMemoryServer) -> None:
    """Nothing is kept of people who were changed or deleted."""
    add(server)
    server.ask("PATCH /v1/people/ana", {"role": "viewer"})
    assert len(server.core.people._waits) == 1
    server.ask("DELETE /v1/people/ana")
    people = server.core.people
    assert not any((people._waits, people._people, people._invitations))
