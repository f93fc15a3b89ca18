"""Tests of what tokens with a scope see: lists, events, streams, alerts; and of waits that end with their token."""

from typing import Any

import pytest

from pushd.model.event import Event, EventType
from pushd.model.token import Role, Token
from tests.connection import Connection, Response, request
from tests.in_memory_server import BuildServer, InMemoryServer
from tests.results import result_of
from tests.sse import EventStream

LOBBY, YARD, GATE = "controlid:7", "controlid:8", "controlid:9"
DEVICES = {
    LOBBY: {"site": "Lobby", "tags": ["door", "east"]},
    YARD: {"site": "Yard", "tags": ["door"]},
    GATE: {"site": "Yard", "tags": ["door", "east"]},
}
FIRST, SECOND = "load_objects", "reboot"


@pytest.fixture
def site(server: InMemoryServer) -> InMemoryServer:
    """A server with three devices."""
    for device, fields in DEVICES.items():
        server.register(device, heartbeat_timeout=60, **fields)
    return server


def begin(server: InMemoryServer, secret: str, line: str, body: bytes = b"") -> Connection:
    """Send a request with a token."""
    return server.call(request(line, body, f"Authorization: Bearer {secret}"))


def ask(server: InMemoryServer, secret: str, line: str, body: bytes = b"") -> Response:
    """Send a request with a token, and return its answer."""
    return begin(server, secret, line, body).answer()


def items(server: InMemoryServer, secret: str, line: str) -> list[Any]:
    """All items of a list, from all pages."""
    found: list[Any] = []
    cursor, mark = "", "&" if "?" in line else "?"
    while True:
        answer = ask(server, secret, f"{line}{mark}limit=2{cursor}")
        assert answer.code == 200, answer.body
        found += answer.json["items"]
        if answer.json["next"] is None:
            return found
        cursor = f"&cursor={answer.json['next']}"


def viewer(server: InMemoryServer, name: str = "viewer's", role: Role = Role.VIEWER, **selectors: Any) -> str:
    """A token with a scope."""
    return server.make_token(name, role, **selectors)


def token_id(server: InMemoryServer, secret: str) -> str:
    """The id of a token."""
    token = server.core.tokens.find(secret)
    assert token is not None
    return token.id


SCOPES = [
    ({"devices": (LOBBY, YARD)}, [LOBBY, YARD]),
    ({"sites": ("Yard", "Hall")}, [YARD, GATE]),
    ({"tags": ("door", "east")}, [LOBBY, GATE]),
    ({"sites": ("Yard",), "tags": ("east",)}, [GATE]),
    ({"devices": (LOBBY,), "sites": ("Yard",)}, []),
    ({"devices": ()}, []),
    ({"sites": ()}, []),
    ({"tags": ()}, []),
]


@pytest.mark.parametrize(("selectors", "seen"), SCOPES)
def test_lists(site: InMemoryServer, selectors: dict[str, Any], seen: list[str]) -> None:
    """Lists of devices, commands and events have what satisfies every selector; an empty selector selects none."""
    for _ in range(2):
        for device in DEVICES:
            site.put(device, {"endpoint": FIRST})
    secret = viewer(site, **selectors)
    assert [each["id"] for each in items(site, secret, "GET /v1/devices")] == seen
    for query in ("", "?state=queued"):
        assert sorted(each["device"] for each in items(site, secret, f"GET /v1/commands{query}")) == sorted(seen * 2)
    events = ask(site, secret, "GET /v1/events?limit=500").json["items"]
    assert {each["device"] for each in events} == set(seen)
    assert len(events) == 3 * len(seen)


def test_a_device_that_moves_during_a_wait(site: InMemoryServer) -> None:
    """A wait for a command ends with 404 if the command is not in scope any more."""
    command, secret = site.put(LOBBY, {"endpoint": FIRST}), viewer(site, sites=("Lobby",))
    waiting = begin(site, secret, f"GET /v1/commands/{command}?wait=9")
    site.ask(f"PATCH /v1/devices/{LOBBY}", {"site": "Yard"})
    site.clock.advance(9)
    waiting.answer().problem(404)


def test_a_device_that_comes_into_scope_during_a_wait(site: InMemoryServer) -> None:
    """A wait for events has those of a device that is registered in the scope, or moves into it."""
    secret = viewer(site, sites=("Hall",))
    for line, body, event in (
        ("POST /v1/devices", {"id": "controlid:10", "site": "Hall"}, "device.registered"),
        (f"PATCH /v1/devices/{LOBBY}", {"site": "Hall"}, "device.changed"),
    ):
        after = ask(site, secret, "GET /v1/events?limit=500").json["next"]
        waiting = begin(site, secret, f"GET /v1/events?wait=9&after={after}")
        site.ask(line, body)
        assert [each["type"] for each in waiting.answer().json["items"]] == [event]


def test_filters_narrow_further(site: InMemoryServer) -> None:
    """Filters of a list apply within the scope, and show nothing beyond it."""
    for device in DEVICES:
        site.put(device, {"endpoint": FIRST})
    secret = viewer(site, sites=("Yard",))
    assert [each["id"] for each in items(site, secret, "GET /v1/devices?tag=east")] == [GATE]
    assert items(site, secret, "GET /v1/devices?site=Lobby") == []
    for name in ("commands", "events"):
        assert ask(site, secret, f"GET /v1/{name}?device={LOBBY}").json["items"] == []
        assert ask(site, secret, f"GET /v1/{name}?device={YARD}").json["items"] != []


def test_pages_of_events_end(site: InMemoryServer) -> None:
    """Pages of the feed have as many events as asked for, and the next begins where they end."""
    secret, after, seen = viewer(site, devices=(GATE,)), "0", []
    for _ in range(3):
        site.put(LOBBY, {"endpoint": FIRST})
        site.put(GATE, {"endpoint": FIRST})
    while True:
        page = ask(site, secret, f"GET /v1/events?limit=2&after={after}").json
        if not page["items"]:
            break
        assert len(page["items"]) <= 2
        seen += [(each["device"], each["type"]) for each in page["items"]]
        after = page["next"]
    assert seen == [(GATE, "device.registered")] + [(GATE, "command.queued")] * 3


def test_present_site_and_tags_count(site: InMemoryServer) -> None:
    """A device that moves leaves one scope and enters another, with its history."""
    command = site.put(LOBBY, {"endpoint": FIRST})
    lobby, yard = viewer(site, "lobby", sites=("Lobby",)), viewer(site, "yard", sites=("Yard",))
    assert ask(site, lobby, f"GET /v1/commands/{command}").code == 200
    site.ask(f"PATCH /v1/devices/{LOBBY}", {"site": "Yard"})
    assert ask(site, lobby, f"GET /v1/commands/{command}").problem(404)["type"] == "not-found"
    assert ask(site, yard, f"GET /v1/commands/{command}").code == 200


def test_deleted_devices(site: InMemoryServer) -> None:
    """Commands and events of a deleted device are in the scopes in which it was last, and later in its new ones."""
    command = site.put(LOBBY, {"endpoint": FIRST})
    lobby, yard = viewer(site, "lobby", sites=("Lobby",)), viewer(site, "yard", sites=("Yard",))
    site.ask(f"DELETE /v1/devices/{LOBBY}")
    assert ask(site, lobby, f"GET /v1/commands/{command}").code == 200
    assert ask(site, yard, f"GET /v1/commands/{command}").code == 404
    assert ask(site, lobby, "GET /v1/events?type=device.deleted").json["items"][0]["device"] == LOBBY
    site.register(LOBBY, site="Yard")
    assert ask(site, lobby, f"GET /v1/commands/{command}").code == 404
    assert ask(site, yard, f"GET /v1/commands/{command}").code == 200


def test_what_is_out_of_scope_seems_not_to_exist(site: InMemoryServer) -> None:
    """The answers to calls about what is out of scope do not differ from those about what does not exist."""
    command = site.put(LOBBY, {"endpoint": FIRST})
    secret = viewer(site, role=Role.OPERATOR, sites=("Yard",))
    body = b'{"payload": {"endpoint": "load_objects"}}'
    for line, out, missing in (
        ("GET /v1/devices/{}", LOBBY, "controlid:5"),
        ("GET /v1/devices/{}", "controlid:007", "controlid:005"),
        ("POST /v1/devices/{}/commands", LOBBY, "controlid:5"),
        ("GET /v1/commands/{}", command, "none"),
        ("GET /v1/commands/{}?wait=1", command, "none"),
        ("POST /v1/commands/{}/cancel", command, "none"),
    ):
        hidden, unknown = (ask(site, secret, line.format(name), body) for name in (out, missing))
        assert hidden.code == unknown.code == 404
        assert hidden.body.replace(out.replace("007", "7").encode(), b"") == unknown.body.replace(
            missing.replace("005", "5").encode(), b""
        )


def test_pending_devices(build_server: BuildServer) -> None:
    """A device that waits for an approval has no site and no tags: only its id reaches it."""
    server = build_server(admission="approve")
    server.device_request(request("GET /push?deviceId=7&uuid=a")).hang_up()
    by_site, by_id = viewer(server, "a", sites=("Lobby",)), viewer(server, "b", Role.OPERATOR, devices=(LOBBY,))
    assert items(server, by_site, "GET /v1/devices") == []
    assert [each["admission"] for each in items(server, by_id, "GET /v1/devices")] == ["pending"]
    answer = ask(server, by_id, f"PATCH /v1/devices/{LOBBY}", b'{"admission": "approved"}')
    assert answer.json["admission"] == "approved"


def test_endpoints(site: InMemoryServer) -> None:
    """A token with endpoints sends and sees commands that call these alone, and batches if all are among them."""
    batch = {"transactions": [{"endpoint": FIRST}, {"endpoint": SECOND}]}
    sent = [site.put(LOBBY, {"endpoint": FIRST}), site.put(LOBBY, {"endpoint": SECOND}), site.put(LOBBY, batch)]
    one = viewer(site, "one", Role.OPERATOR, endpoints=(FIRST,))
    both = viewer(site, "both", Role.OPERATOR, endpoints=(FIRST, SECOND), devices=(LOBBY,))
    none = viewer(site, "none", Role.OPERATOR, endpoints=())
    opener = viewer(site, "opener", Role.OPERATOR, endpoints=("open",))
    for secret, seen in ((one, sent[:1]), (both, sent), (none, []), (opener, [])):
        assert [each["id"] for each in items(site, secret, "GET /v1/commands")] == seen[::-1]
        queued = ask(site, secret, "GET /v1/events?type=command.queued").json["items"]
        assert [each["command"] for each in queued] == seen
        assert len(items(site, secret, "GET /v1/devices")) == (1 if secret == both else 3)
    line = f"POST /v1/devices/{LOBBY}/commands"
    assert ask(site, one, line, b'{"payload": {"endpoint": "load_objects.fcgi"}}').code == 201
    refused = ask(site, one, line, b'{"payload": {"transactions": [{"endpoint": "load_objects"}, {"endpoint": "x"}]}}')
    assert refused.problem(403)["detail"] == "one may not send load_objects, x; it is limited to: load_objects."
    assert ask(site, opener, line, b'{"payload": {"endpoint": "open"}}').code == 403
    assert ask(site, one, f"POST /v1/commands/{sent[1]}/resend").code == 404


def test_orphan_results_are_hidden_from_tokens_with_endpoints(site: InMemoryServer) -> None:
    """What a device reports about nothing that is known is not shown to a token with endpoints."""
    site.device_request(request("POST /result?deviceId=7&uuid=x", b'{"response": {}}'))
    assert site.events(LOBBY)[-1] == "result.orphaned"
    limited, other = viewer(site, "a", endpoints=(FIRST,)), viewer(site, "b", devices=(LOBBY,))
    for secret, count in ((limited, 0), (other, 1)):
        assert len(ask(site, secret, "GET /v1/events?type=result.orphaned").json["items"]) == count
    assert ask(site, limited, f"GET /v1/devices/{LOBBY}/orphans").code == 403
    assert len(ask(site, other, f"GET /v1/devices/{LOBBY}/orphans").json["items"]) == 1


# Alerts


@pytest.fixture
def offline(site: InMemoryServer) -> InMemoryServer:
    """The same, with an alert about six devices behind one address, and one about another device."""
    for number in range(20, 26):
        site.register(f"controlid:{number}", heartbeat_timeout=60, site="Hall" if number < 22 else "Yard")
        site.device_request(request(f"GET /push?deviceId={number}&uuid=u"), peer="198.51.100.7").hang_up()
    site.device_request(request("GET /push?deviceId=7&uuid=u"), peer="203.0.113.9").hang_up()
    site.tick(200)
    return site


def test_alerts(offline: InMemoryServer) -> None:
    """Of an alert about several devices those in scope are shown and counted; without any, it is not."""
    hall, lobby = viewer(offline, "hall", sites=("Hall",)), viewer(offline, "lobby", sites=("Lobby",))
    nowhere = viewer(offline, "nowhere", sites=())
    [alert] = items(offline, hall, "GET /v1/alerts?open=1")
    assert (alert["kind"], alert["devices"], alert["count"]) == (
        "site_offline",
        ["controlid:20", "controlid:21"],
        2,
    )
    assert [each["devices"] for each in items(offline, lobby, "GET /v1/alerts")] == [[LOBBY]]
    assert items(offline, nowhere, "GET /v1/alerts") == []
    [event] = ask(offline, hall, "GET /v1/events?type=alert.raised").json["items"]
    assert (event["data"]["devices"], event["data"]["count"]) == (["controlid:20", "controlid:21"], 2)
    assert ask(offline, nowhere, "GET /v1/events?type=alert.raised").json["items"] == []
    assert ask(offline, hall, f"GET /v1/alerts/{alert['id']}").json == alert
    [whole] = [each for each in offline.ask("GET /v1/alerts").json["items"] if each["count"] > 1]
    assert whole["count"] == 6


def test_an_event_of_an_alert_without_a_list(site: InMemoryServer) -> None:
    """An event of an alert about one device that has no list of devices is in the scope of that device."""
    for scope, seen in (((LOBBY,), True), ((YARD,), False)):
        view = site.admin_port.auth.view(Token(id="x", name="x", role=Role.VIEWER, devices=scope))
        assert view is not None
        event = Event(seq=1, type=EventType.ALERT_CLEARED, at=0, device=LOBBY, data={"kind": "offline", "count": 1})
        assert (view.narrow(event) is not None) is seen


def test_acknowledging_an_alert(offline: InMemoryServer) -> None:
    """Only a token that sees all devices of an alert may acknowledge it."""
    alerts = {each["count"]: each["id"] for each in offline.ask("GET /v1/alerts").json["items"]}
    hall = viewer(offline, "hall", Role.OPERATOR, sites=("Hall",))
    all_of_it = viewer(offline, "hall and yard", Role.OPERATOR, sites=("Hall", "Yard"))
    line = f"POST /v1/alerts/{alerts[6]}/acknowledge"
    assert ask(offline, hall, line).code == 403
    assert ask(offline, hall, f"POST /v1/alerts/{alerts[1]}/acknowledge").code == 404
    assert ask(offline, all_of_it, line).json["acknowledged_by"] == "hall and yard"


# Sites, the server, muting several


def test_sites(site: InMemoryServer) -> None:
    """Of each site the devices in scope are counted; a site without any is not listed."""
    found = ask(site, viewer(site, tags=("east",)), "GET /v1/sites").json["items"]
    assert [(each["site"], each["devices"]) for each in found] == [("Lobby", 1), ("Yard", 1)]
    assert len(ask(site, viewer(site, "y", sites=("Yard",)), "GET /v1/sites").json["items"]) == 1


def test_the_catalogue_for_a_token_with_endpoints(site: InMemoryServer) -> None:
    """A token with endpoints sees what the catalogue has of these."""
    found = ask(site, viewer(site, endpoints=(FIRST, "open")), "GET /v1/catalogue/controlid").json["items"]
    assert [each["name"] for each in found] == [FIRST]


def test_info(site: InMemoryServer) -> None:
    """A token with a scope sees what it needs of the server, and counts of what is in scope."""
    site.put(LOBBY, {"endpoint": FIRST})
    site.put(YARD, {"endpoint": FIRST})
    found = ask(site, viewer(site, sites=("Yard",)), "GET /v1/info").json
    assert found.keys() == {"version", "node", "counts"}
    assert (found["counts"]["devices"], found["counts"]["queued"]) == (2, 1)


def test_muting_several(site: InMemoryServer) -> None:
    """Of the devices that are selected those in scope are muted; one that is named must be in scope."""
    secret, until = viewer(site, role=Role.OPERATOR, tags=("east",)), b'"2028-01-01T00:00:00Z"'
    answer = ask(site, secret, "POST /v1/devices/mute", b'{"tags": ["door"], "until": %s}' % until)
    assert answer.json == {"devices": [LOBBY, GATE], "count": 2}
    assert site.device(YARD)["muted_until"] is None
    for devices in (f'"{LOBBY}", "{YARD}"', f'"{LOBBY}", "controlid:5"'):
        body = f'{{"devices": [{devices}], "until": null}}'.encode()
        ask(site, secret, "POST /v1/devices/mute", body).problem(404)
    assert site.device(LOBBY)["muted_until"] is not None


# Streams and waits


def stream(server: InMemoryServer, secret: str, query: str = "") -> EventStream:
    """Open a stream with a token."""
    return EventStream(begin(server, secret, f"GET /v1/events/stream{query}"))


def test_names_of_several_devices_do_not_tell_which_exist(site: InMemoryServer) -> None:
    """The answer to a list of devices, the first of which is out of scope, is the same as if it did not exist."""
    secret, details = viewer(site, role=Role.OPERATOR, sites=("Lobby",)), []
    for device in (GATE, "controlid:98"):
        body = b'{"devices": ["%s", "controlid:99"], "until": null}' % device.encode()
        found = ask(site, secret, "POST /v1/devices/mute", body).problem(404)["detail"]
        details.append(found.replace(device, "it"))
    assert details[0] == details[1]


def test_streams_are_narrowed(offline: InMemoryServer) -> None:
    """A stream has the events in scope, of the past and of the future, and alerts as far as they are."""
    hall = stream(offline, viewer(offline, "hall", sites=("Hall",)), "?after=0")
    everything = EventStream(offline.begin("GET /v1/events/stream?after=0"))
    offline.put("controlid:20", {"endpoint": FIRST})
    offline.put(LOBBY, {"endpoint": FIRST})
    offline.clock.advance(1)
    seen = [message.json for message in hall.read()]
    assert {each["device"] for each in seen} == {"controlid:20", "controlid:21", None}
    [raised] = [each["data"] for each in seen if each["type"] == "alert.raised"]
    assert raised["count"] == 2
    assert seen[-1]["type"] == "command.queued"
    counts = [each.json["data"].get("count") for each in everything.read() if each.type == "alert.raised"]
    assert sorted(counts) == [1, 6]


ENDINGS = ["revoked", "changed", "rotated", "expired"]


def end(server: InMemoryServer, secret: str, how: str) -> None:
    """End what waits for a token."""
    token = token_id(server, secret)
    if how == "revoked":
        assert server.ask(f"DELETE /v1/tokens/{token}").code == 204
    elif how == "changed":
        assert server.ask(f"PATCH /v1/tokens/{token}", {"sites": ["Lobby"]}).code == 200
    elif how == "rotated":
        assert server.ask(f"POST /v1/tokens/{token}/rotate").code == 201
    else:
        server.tick(30)


def ending_token(server: InMemoryServer) -> str:
    """A token that expires after half a minute."""
    expires_at = server.core.clocks.wall_now() + 30_000
    return viewer(server, "ending", Role.OPERATOR, devices=(LOBBY,), expires_at=expires_at)


@pytest.mark.parametrize("how", ENDINGS)
def test_streams_end_with_their_token(site: InMemoryServer, how: str) -> None:
    """When a token is changed, rotated or revoked, or expires, its streams end, and no event follows."""
    secret = ending_token(site)
    connection = stream(site, secret).connection
    other = site.begin("GET /v1/events/stream")
    end(site, secret, how)
    site.put(LOBBY, {"endpoint": FIRST})
    site.clock.advance(0)
    sent = connection.transport.value()
    assert sent.endswith(b"0\r\n\r\n")
    assert b"command.queued" not in sent
    assert b"command.queued" in other.transport.value()


@pytest.mark.parametrize("how", ENDINGS)
@pytest.mark.parametrize("wait", ["events", "command", "send"])
def test_waits_end_with_their_token(site: InMemoryServer, how: str, wait: str) -> None:
    """When a token is changed, rotated or revoked, or expires, what waits with it is answered with 401."""
    secret, command = ending_token(site), site.put(LOBBY, {"endpoint": FIRST}, ttl=600)
    after = site.ask("GET /v1/events").json["next"]
    line, body = {
        "events": (f"GET /v1/events?wait=60&device={YARD}&after={after}", b""),
        "command": (f"GET /v1/commands/{command}?wait=60", b""),
        "send": (f"POST /v1/devices/{LOBBY}/commands?wait=60", b'{"payload": {"endpoint": "reboot"}, "ttl": 600}'),
    }[wait]
    waiting = begin(site, secret, line, body)
    assert waiting.answers() == []
    end(site, secret, how)
    assert waiting.answer().problem(401)["type"] == "unauthenticated"


@pytest.mark.parametrize("line", ["commands?wait=9&then=cancel", "open"])
def test_what_waits_for_a_revoked_token_is_not_sent(site: InMemoryServer, line: str) -> None:
    """A command that is cancelled when the wait for it ends is cancelled when the token is revoked."""
    site.ask(f"PATCH /v1/devices/{LOBBY}", {"facts": {"model": "iDFlex"}})
    secret = viewer(site, role=Role.OPERATOR, devices=(LOBBY,))
    body = b"" if line == "open" else b'{"payload": {"endpoint": "reboot"}}'
    waiting = begin(site, secret, f"POST /v1/devices/{LOBBY}/{line}", body)
    assert waiting.answers() == []
    end(site, secret, "revoked")
    waiting.answer().problem(401)
    assert [each["state"] for each in site.ask("GET /v1/commands").json["items"]] == ["cancelled"]


LARGE = b'{"payload": {"endpoint": "create_objects", "body": {"object": "users", "values": [{"name": "%s"}]}}}' % (
    b"x" * 70_000
)


@pytest.mark.parametrize("resends", [False, True])
@pytest.mark.parametrize(("how", "code"), [("revoked", 401), ("changed", 401), ("moved", 404), ("overlap", 201)])
def test_a_large_command_of_a_token_that_ends(site: InMemoryServer, resends: bool, how: str, code: int) -> None:
    """While a large body is checked, the token may end, or its device leave the scope: then it is not sent."""
    secret, line = viewer(site, role=Role.OPERATOR, sites=("Lobby",)), f"POST /v1/devices/{LOBBY}/commands"
    if resends:
        command = ask(site, secret, line, LARGE).json["id"]
        assert ask(site, secret, f"POST /v1/commands/{command}/cancel").code == 200
        line = f"POST /v1/commands/{command}/resend"
    site.threads_are_busy = True
    sending = begin(site, secret, line, b"" if resends else LARGE)
    if how == "moved":
        site.ask(f"PATCH /v1/devices/{LOBBY}", {"site": "Yard"})
    elif how == "overlap":
        site.ask(f"POST /v1/tokens/{token_id(site, secret)}/rotate?overlap=30")
    else:
        end(site, secret, how)
    site.run_threads()
    assert sending.answer().code == code
    assert len(site.ask("GET /v1/commands?state=queued").json["items"]) == (code == 201)


def test_a_rotation_with_an_overlap_ends_no_wait(site: InMemoryServer) -> None:
    """What waits with the old secret goes on during the overlap, and ends after it."""
    secret, command = viewer(site, devices=(LOBBY,)), site.put(LOBBY, {"endpoint": FIRST}, ttl=600)
    waiting = begin(site, secret, f"GET /v1/commands/{command}?wait=60")
    assert site.ask(f"POST /v1/tokens/{token_id(site, secret)}/rotate?overlap=30").code == 201
    site.tick(29)
    assert waiting.answers() == []
    site.tick(1)
    waiting.answer().problem(401)


def test_waits_leave_nothing_behind(site: InMemoryServer) -> None:
    """A wait that has ended, or whose client has disconnected, is not kept with its token."""
    secret, command = viewer(site, devices=(LOBBY,)), site.put(LOBBY, {"endpoint": FIRST})
    token = site.core.tokens.find(secret)
    assert token is not None
    for line in (
        "GET /v1/events/stream",
        "GET /v1/events?wait=9&type=command.failed",
        f"GET /v1/commands/{command}?wait=9",
    ):
        begin(site, secret, line).hang_up()
    waiting = begin(site, secret, f"GET /v1/commands/{command}?wait=9")
    assert len(site.core.tokens.waits(token)) == 1
    site.clock.advance(9)
    assert waiting.answer().code == 200
    assert len(site.core.tokens.waits(token)) == 0
    result_of(site.core.tokens.delete(token.id))
