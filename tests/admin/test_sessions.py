"""Tests of :mod:`pushd.admin.sessions`: people log in to the dashboard, do what they may, and log out."""

import re
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from pushd.core.tokens import MAX_REFUSALS
from pushd.lib.ip_networks import parse_network
from pushd.model.session import MAX_SESSIONS
from pushd.model.token import Role
from pushd.store.membership import OnlyProcess
from pushd.store.transactions import sessions as stored_sessions
from tests.admin.dashboard_page import FIREFOX, FOREIGN, OWN, Page, has_ended, log_in, opened
from tests.in_memory_server import CLIENT, BuildServer, InMemoryServer
from tests.results import result_of
from tests.store.clock import new_store

HOUR = 3600.0


def sessions_of(server: InMemoryServer) -> list[dict[str, Any]]:
    """The sessions that an admin sees."""
    items: list[dict[str, Any]] = server.ask("GET /v1/sessions").json["items"]
    return items


def test_a_log_in_by_token(server: InMemoryServer) -> None:
    """Who logs in with a token may do what the token may, under its name, and the cookie is hidden from pages."""
    server.register("controlid:7", site="Lobby")
    server.register("controlid:8", site="Yard")
    token = server.make_token("lobby", Role.OPERATOR, sites=("Lobby",))
    answer = server.begin_as(OWN, "POST /v1/session", {"token": token}).answer()
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert re.fullmatch(r"pushd-session=[\w-]{32}", cookie)
    assert attributes == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Strict"]
    page = opened(server, answer)
    who = page.read("GET /v1/session").json
    assert who == answer.json
    assert {name: who[name] for name in ("name", "role", "sites", "devices", "means")} == {
        "name": "lobby",
        "role": "operator",
        "sites": ["Lobby"],
        "devices": None,
        "means": "session",
    }
    assert [each["id"] for each in page.read("GET /v1/devices").json["items"]] == ["controlid:7"]
    sent = page.change("POST /v1/devices/controlid:7/commands", {"payload": {"endpoint": "reboot"}})
    assert (sent.code, sent.json["created_by"]) == (201, "lobby")
    page.change("POST /v1/devices/controlid:8/commands", {"payload": {"endpoint": "reboot"}}).problem(404)
    page.change("POST /v1/tokens", {"name": "mine", "role": "viewer"}).problem(403)


def test_who_a_token_is(server: InMemoryServer) -> None:
    """A program sees who it is, too; it needs no CSRF token, whatever its origin is."""
    who = server.ask("GET /v1/session", None, FOREIGN, role=Role.VIEWER).json
    assert (who["name"], who["role"], who["means"]) == ("viewer", "viewer", "token")
    assert (who["csrf"], who["session"], who["expires_at"]) == (None, None, None)
    assert server.ask("DELETE /v1/session", None, FOREIGN).code == 204


@pytest.mark.parametrize("secret", ["", "pushd_wrong", "\udcff"])
def test_a_wrong_token(server: InMemoryServer, secret: str) -> None:
    """A wrong token is refused after a second, and sets no cookie."""
    connection = server.begin_as(OWN, "POST /v1/session", {"token": secret})
    server.clock.advance(0.9)
    assert connection.answers() == []
    server.clock.advance(0.1)
    answer = connection.answer()
    answer.problem(401)
    assert "set-cookie" not in answer.headers


def test_many_wrong_tokens(server: InMemoryServer) -> None:
    """Only so many wait for their refusal; a right token is not delayed by them."""
    waiting = [server.begin_as(OWN, "POST /v1/session", {"token": "x"}) for _ in range(MAX_REFUSALS)]
    server.begin_as(OWN, "POST /v1/session", {"token": "x"}).answer().problem(401)
    log_in(server, server.token_of(Role.VIEWER))
    assert not any(connection.answers() for connection in waiting)


def test_a_key_of_devices_does_not_log_in(server: InMemoryServer) -> None:
    """A token that authenticates devices is none of a person."""
    key = server.make_token("readers", Role.DEVICE)
    server.begin_as(OWN, "POST /v1/session", {"token": key}).answer().problem(403)


def test_a_log_in_without_token(server: InMemoryServer) -> None:
    """A body that lacks what is needed, or has more, is refused with what is wrong."""
    for body in ({}, {"token": "x", "invite": "y"}):
        [error] = server.begin_as(OWN, "POST /v1/session", body).answer().problem(422)["errors"]
        assert error["pointer"] == "#/token"
    [error] = server.begin_as(OWN, "POST /v1/session", {"token": "x", "name": "ana"}).answer().problem(422)["errors"]
    assert error["pointer"] == "#/name"


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("Accept: */*", 204),
        ("Origin: http://pushd.example", 204),
        ("Origin: https://PUSHD.example", 204),
        ("Origin: https://push.example.org", 204),
        ("Origin: null", 403),
        ("Origin: ", 403),
        ("Origin: https://evil.example", 403),
        ("Origin: http://pushd.example:9000", 403),
        ("Origin: http://pushd.example.evil.example", 403),
        ("Origin: ftp://pushd.example", 403),
        ("Origin: http://pushd.example, https://evil.example", 403),
    ],
)
def test_origins(build_server: BuildServer, origin: str, code: int) -> None:
    """A change comes from a page of the server, or from no page; so does a log-in."""
    server = build_server(base_url="https://push.example.org/pushd")
    server.register("controlid:7")
    page = log_in(server, server.token_of(Role.ADMIN))
    change = server.begin_as(
        f"Cookie: {page.cookie}", "DELETE /v1/devices/controlid:7", None, f"X-CSRF-Token: {page.csrf}", origin
    )
    assert change.answer().code == code
    token = server.token_of(Role.VIEWER)
    log_in_again = server.begin_as(origin, "POST /v1/session", {"token": token}).answer()
    assert log_in_again.code == {204: 201}.get(code, code)


@pytest.mark.parametrize("csrf", ["", "wrong", None])
def test_csrf(server: InMemoryServer, csrf: str | None) -> None:
    """A change by cookie without the CSRF token of its session changes nothing; reading needs none."""
    server.register("controlid:7")
    page = log_in(server, server.token_of(Role.ADMIN))
    other = log_in(server, server.token_of(Role.ADMIN))
    headers = [f"X-CSRF-Token: {other.csrf if csrf is None else csrf}"] if csrf != "" else []
    page.begin("DELETE /v1/devices/controlid:7", None, *headers).answer().problem(403)
    assert page.read("GET /v1/devices/controlid:7").code == 200


def test_a_token_wins_over_a_cookie(server: InMemoryServer) -> None:
    """A request with both is that of the token: it needs no CSRF token, and a wrong token is refused."""
    page = log_in(server, server.token_of(Role.VIEWER))
    answer = server.ask("POST /v1/tokens", {"name": "x", "role": "viewer"}, f"Cookie: {page.cookie}")
    assert (answer.code, answer.json["created_by"]) == (201, "admin")
    wrong = server.begin_as("Authorization: Bearer wrong", "GET /v1/session", None, f"Cookie: {page.cookie}")
    server.clock.advance(1)
    wrong.answer().problem(401)


def test_log_out(server: InMemoryServer) -> None:
    """The session ends with its open event stream, and the browser forgets the cookie; another session goes on."""
    page, other = (log_in(server, server.token_of(Role.VIEWER)) for _ in range(2))
    stream, other_stream = page.begin("GET /v1/events/stream"), other.begin("GET /v1/events/stream")
    answer = page.change("DELETE /v1/session")
    assert (answer.code, answer.headers["set-cookie"].split("; ")[:3]) == (
        204,
        ["pushd-session=", "Path=/", "Max-Age=0"],
    )
    assert has_ended(stream)
    assert not has_ended(other_stream)
    page.read("GET /v1/session").problem(401)
    assert other.read("GET /v1/session").code == 200


def test_an_admin_ends_a_session(server: InMemoryServer) -> None:
    """An admin sees who is logged in from where, and ends what should not be."""
    page = log_in(server, server.make_token("lobby", Role.OPERATOR))
    [found] = sessions_of(server)
    assert found == {
        "id": found["id"],
        "name": "lobby",
        "role": "operator",
        "by": "token",
        "address": CLIENT,
        "user_agent": FIREFOX.partition(" ")[2],
        "created_at": "2027-01-15T08:00:00.000Z",
        "last_used_at": "2027-01-15T08:00:00.000Z",
        "expires_at": "2027-01-15T20:00:00.000Z",
    }
    assert server.ask(f"GET /v1/sessions/{found['id']}").json == found
    wait = page.begin("GET /v1/events?wait=60")
    assert server.ask(f"DELETE /v1/sessions/{found['id']}").code == 204
    wait.answer().problem(401)
    page.read("GET /v1/session").problem(401)
    assert sessions_of(server) == []
    for method in ("GET", "DELETE"):
        server.ask(f"{method} /v1/sessions/{found['id']}").problem(404)


def test_the_list_has_pages(server: InMemoryServer) -> None:
    """Sessions are listed by id, a page at a time."""
    for _ in range(3):
        log_in(server, server.token_of(Role.VIEWER))
    first = server.ask("GET /v1/sessions?limit=2").json
    second = server.ask(f"GET /v1/sessions?limit=2&cursor={first['next']}").json
    assert (len(first["items"]), second["next"]) == (2, None)
    assert first["items"] + second["items"] == sessions_of(server)


def test_an_idle_session_ends(server: InMemoryServer) -> None:
    """Twelve hours after the last request a session has ended; an open event stream keeps it in use."""
    idle, used, watching = (log_in(server, server.token_of(Role.VIEWER)) for _ in range(3))
    stream = watching.begin("GET /v1/events/stream")
    for _ in range(2):
        server.clock.advance(6 * HOUR)
        assert used.read("GET /v1/session").code == 200
        server.tick(1)
    idle.read("GET /v1/session").problem(401)
    assert not has_ended(stream)
    assert watching.read("GET /v1/session").code == 200


def test_no_session_is_for_ever(server: InMemoryServer) -> None:
    """After thirty days a session ends, however often it is used, and so does its stream."""
    page = log_in(server, server.token_of(Role.VIEWER))
    stream = page.begin("GET /v1/events/stream")
    for _ in range(59):
        server.clock.advance(12 * HOUR - 2)
        server.tick(1)
        assert page.read("GET /v1/session").code == 200
    server.clock.advance(12 * HOUR)
    server.tick(1)
    assert has_ended(stream)
    page.read("GET /v1/session").problem(401)


@pytest.mark.parametrize("step", [-13 * HOUR, 13 * HOUR, 31 * 24 * HOUR])
def test_steps_of_the_wall_clock(server: InMemoryServer, step: float) -> None:
    """A session lasts for its time, even if the wall clock is set."""
    page = log_in(server, server.token_of(Role.VIEWER))
    server.wall_offset += step
    server.tick(1)
    server.clock.advance(11 * HOUR)
    assert page.read("GET /v1/session").code == 200
    server.clock.advance(12 * HOUR)
    page.read("GET /v1/session").problem(401)


def test_a_session_ends_with_its_token(server: InMemoryServer) -> None:
    """Once its token is revoked, or has another secret, a session is over with its stream."""
    for end in ("DELETE /v1/tokens/{}", "POST /v1/tokens/{}/rotate"):
        made = server.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json
        page = log_in(server, made["token"])
        stream = page.begin("GET /v1/events/stream")
        assert server.ask(end.format(made["id"])).code in (201, 204)
        assert has_ended(stream)
        page.read("GET /v1/session").problem(401)
        assert sessions_of(server) == []


def test_a_session_lasts_as_long_as_the_secret(server: InMemoryServer) -> None:
    """With an overlap the old secret of a token is valid for a while, and so is what logged in with it."""
    made = server.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json
    page = log_in(server, made["token"])
    server.ask(f"POST /v1/tokens/{made['id']}/rotate?overlap=60")
    server.tick(59)
    assert page.read("GET /v1/session").code == 200
    server.tick(1)
    page.read("GET /v1/session").problem(401)


def test_a_session_ends_when_its_token_expires(server: InMemoryServer) -> None:
    """A session of a token that expires ends with it, with its stream."""
    soon = server.core.clocks.wall_now() + 10_000
    page = log_in(server, server.make_token("brief", Role.VIEWER, expires_at=soon))
    stream = page.begin("GET /v1/events/stream")
    server.tick(10)
    assert has_ended(stream)
    page.read("GET /v1/session").problem(401)


def test_a_session_has_the_scope_of_its_token_now(server: InMemoryServer) -> None:
    """A change of a token concerns its sessions at once: their streams end, and their next calls see less."""
    server.register("controlid:7", site="Lobby")
    made = server.ask("POST /v1/tokens", {"name": "lobby", "role": "viewer"}).json
    page = log_in(server, made["token"])
    stream = page.begin("GET /v1/events/stream")
    server.ask(f"PATCH /v1/tokens/{made['id']}", {"sites": ["Yard"]})
    assert has_ended(stream)
    page.read("GET /v1/devices/controlid:7").problem(404)
    assert page.read("GET /v1/session").json["sites"] == ["Yard"]


def test_a_new_log_in_replaces_the_session_of_the_browser(server: InMemoryServer) -> None:
    """Who logs in again in the same browser has one session, with another cookie."""
    before = log_in(server, server.token_of(Role.VIEWER))
    after = log_in(server, server.token_of(Role.ADMIN), f"Cookie: {before.cookie}")
    before.read("GET /v1/session").problem(401)
    assert after.read("GET /v1/session").json["role"] == "admin"
    assert len(sessions_of(server)) == 1


def test_one_session_too_many(server: InMemoryServer) -> None:
    """A token has so many sessions; one more ends the one that was not used for longest, of this token alone."""
    other = log_in(server, server.token_of(Role.ADMIN))
    first, second = (log_in(server, server.token_of(Role.VIEWER)) for _ in range(2))
    server.clock.advance(1)
    assert first.read("GET /v1/session").code == 200
    for _ in range(MAX_SESSIONS - 1):
        log_in(server, server.token_of(Role.VIEWER))
    second.read("GET /v1/session").problem(401)
    assert first.read("GET /v1/session").code == other.read("GET /v1/session").code == 200
    assert len(server.core.sessions.all()) == MAX_SESSIONS + 1


def test_a_trusted_proxy_says_https(build_server: BuildServer) -> None:
    """Behind a proxy with TLS the cookie is never sent without TLS, and no other host can set it."""
    server = build_server(trusted_proxies=(parse_network(CLIENT),))
    answer = server.begin_as(
        "X-Forwarded-Proto: https", "POST /v1/session", {"token": server.token_of(Role.VIEWER)}, OWN
    ).answer()
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie.startswith("__Host-pushd-session=")
    assert attributes[-1] == "Secure"
    https = server.begin_as("X-Forwarded-Proto: https", "GET /v1/session", None, f"Cookie: {cookie}")
    assert https.answer().code == 200
    server.begin_as("Accept: */*", "GET /v1/session", None, f"Cookie: {cookie}").answer().problem(401)


def test_a_client_cannot_say_https(server: InMemoryServer) -> None:
    """Of a client that is no trusted proxy the header means nothing."""
    page = log_in(server, server.token_of(Role.VIEWER), "X-Forwarded-Proto: https")
    assert page.cookie.startswith("pushd-session=")


def test_a_body_in_pieces(server: InMemoryServer) -> None:
    """Browsers send head and body apart; the body of a log-in is kept, up to its limit."""
    body = b'{"token": "%s"}' % server.token_of(Role.VIEWER).encode()
    for content, code in ((body, 201), (body + b" " * 4096, 413)):
        head = f"POST /v1/session HTTP/1.1\r\nHost: pushd.example\r\nContent-Length: {len(content)}\r\n\r\n"
        connection = server.call(head.encode())
        connection.send(content)
        assert connection.answer().code == code


def test_sessions_outlive_a_restart(build_server: BuildServer, tmp_path: Any) -> None:
    """After a restart people are still logged in, and sessions that have ended, or were not used, still end."""
    server = build_server(new_store(str(tmp_path / "pushd.sqlite")))
    token = server.make_token("lobby", Role.VIEWER)
    used, idle, ended = (log_in(server, token) for _ in range(3))
    ended.change("DELETE /v1/session")
    server.clock.advance(6 * HOUR)
    used.read("GET /v1/session")
    save(server)
    server.fail_store()
    again = build_server(new_store(str(tmp_path / "pushd.sqlite")))
    pages = [Page(again, page.cookie, page.csrf) for page in (used, idle, ended)]
    assert [page.read("GET /v1/session").code for page in pages[::2]] == [200, 401]
    again.clock.advance(7 * HOUR)
    assert [page.read("GET /v1/session").code for page in pages[:2]] == [200, 401]
    assert pages[0].change("DELETE /v1/session").code == 204


def save(server: InMemoryServer) -> None:
    """Save what is saved every minute."""
    result_of(Deferred.fromCoroutine(server.core.save_clocks()))


def test_a_session_that_is_used_by_way_of_another_process(server: InMemoryServer) -> None:
    """Where several processes share a database, a session is in use if it is used at any of them."""
    used, idle = (log_in(server, server.token_of(Role.VIEWER)) for _ in range(2))
    [session, _] = sessions_of(server)
    server.clock.advance(11 * HOUR)
    result_of(server.store.save_session_uses({session["id"]: server.core.clocks.now()}))
    save(server)
    assert sessions_of(server)[0]["last_used_at"] == "2027-01-15T19:00:00.000Z"
    server.clock.advance(2 * HOUR)
    assert [page.read("GET /v1/session").code for page in (used, idle)] == [200, 401]


def test_ended_sessions_are_deleted(server: InMemoryServer) -> None:
    """Nothing is kept of sessions that have ended, neither in memory nor in the database."""
    page = log_in(server, server.token_of(Role.VIEWER))
    log_in(server, server.make_token("brief", Role.VIEWER, expires_at=server.core.clocks.wall_now() + 1000))
    page.begin("GET /v1/events/stream").hang_up()
    save(server)
    assert stored(server) == 2
    server.clock.advance(1)
    save(server)
    assert stored(server) == 1
    server.clock.advance(12 * HOUR)
    save(server)
    assert stored(server) == 0
    kept = server.core.sessions
    assert not any((kept._sessions, kept._by_digest, kept._used, kept._saved, kept._waits))


def stored(server: InMemoryServer) -> int:
    """How many sessions are in the database."""
    return len(result_of(server.store._reader.submit(stored_sessions.load)))


class CutOff(OnlyProcess):
    """A process that does not hear what others change."""

    def hears(self) -> bool:
        """Whether it does."""
        return False


def test_no_log_in_while_others_may_revoke(server: InMemoryServer) -> None:
    """A process that does not hear what others revoke takes neither cookies nor tokens, not even to log in."""
    page, token = log_in(server, server.token_of(Role.VIEWER)), server.token_of(Role.VIEWER)
    server.admin_port.auth.membership = CutOff()
    page.read("GET /v1/session").problem(503)
    server.begin_as(OWN, "POST /v1/session", {"token": token}).answer().problem(503)


def test_no_log_in_while_the_store_fails(server: InMemoryServer) -> None:
    """A log-in that cannot be stored sets no cookie."""
    token = server.token_of(Role.VIEWER)
    server.fail_store()
    answer = server.begin_as(OWN, "POST /v1/session", {"token": token}).answer()
    answer.problem(503)
    assert "set-cookie" not in answer.headers
    assert server.core.sessions.all() == []
