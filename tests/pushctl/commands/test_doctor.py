"""Tests of ``pushctl doctor`` with a fake server, which has all ports at once."""

import json
from typing import Any

import pytest

from tests.pushctl.commands.test_rejections import REJECTION, UNREADABLE
from tests.pushctl.fake_server import DEVICE, Answer, FakeServer, Pushctl

READER = DEVICE["id"]

INFO = {"version": "26.0", "options": {}, "listen": {"devices": ["tcp:8080"], "admin": ["tcp:8081"], "bases": []}}

SERVED = Answer(status=405, body=b"")
NOTHING = Answer(status=404, body=b"")


@pytest.fixture
def server(server: FakeServer) -> FakeServer:
    """A server with which nothing is wrong."""
    server.on("GET /healthz", Answer(body={"status": "ok"}))
    server.on("GET /readyz", Answer(body={"status": "ready"}))
    server.on("GET /v1/info", Answer(body=INFO))
    for name in ("devices", "tokens", "rejections"):
        server.on(f"GET /v1/{name}", Answer(body={"items": []}))
    server.on(f"GET /v1/devices/{READER}", Answer(body=DEVICE))
    server.on("OPTIONS /push", SERVED)
    server.on("OPTIONS /push/pushctl-doctor", SERVED)
    return server


def examined(pushctl: Pushctl, *arguments: str) -> tuple[int, dict[str, Any], Any]:
    """The exit code, the status and detail of each check, and all that was found."""
    result = pushctl("doctor", "--json", *arguments)
    found = json.loads(result.stdout)
    return result.exit_code, {each["check"]: (each["status"], each["detail"]) for each in found["findings"]}, found


def test_nothing_is_wrong(server: FakeServer, pushctl: Pushctl) -> None:
    """If nothing is wrong, each check says what it has found, there is no next step, and the exit code is 0."""
    server.on("GET /v1/info", Answer(body={**INFO, "listen": {**INFO["listen"], "bases": ["/controlid"]}}))  # type: ignore[dict-item]
    server.on("OPTIONS /controlid/push", SERVED)
    result = pushctl("doctor", "--device", READER)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "ok       The server at http://127.0.0.1:8081 runs and is ready.",
        "ok       The token has the role admin.",
        (
            "ok       The device port http://127.0.0.1:8080 serves polls: Control iD at /push, Control iD at"
            " /controlid/push, Server-Eye at /push/<containerId>."
        ),
        f"ok       {READER} is served: its poll is held, and reconnects within 0.25 s.",
        f"ok       Nothing that may be of {READER} was refused in the last 15 min.",
    ]


def test_it_changes_nothing(server: FakeServer, pushctl: Pushctl) -> None:
    """Only the admin port gets the token, and no request has an effect or polls for a device."""
    pushctl("doctor", "--device", READER)
    assert {call.split()[0] for call, _ in server.received} == {"GET", "OPTIONS"}
    for call, request in server.received:
        assert ("authorization" in request.headers) == call.startswith("GET /v1/"), call
        assert not call.startswith("GET /push")


def test_admin_url_is_the_device_port(server: FakeServer, pushctl: Pushctl) -> None:
    """The URL of the device port in place of the admin port is recognised by its 404, and exits with 1."""
    server.on("GET /healthz", NOTHING)
    server.on("GET /readyz", NOTHING)
    code, checks, found = examined(pushctl)
    assert code == 1
    assert checks["server"] == (
        "wrong",
        "http://127.0.0.1:8081 is not the admin port; it answers like the device port.",
    )
    assert "--url" in found["next_step"]
    assert "token" not in checks


@pytest.mark.parametrize(
    ("health", "ready", "detail"),
    [
        (Answer(status=502, body=b"Bad gateway"), Answer(), "health check answers 502"),
        (Answer(status=404, body={"detail": "No."}), Answer(), "health check answers 404"),
        (Answer(), Answer(status=503, body={"detail": "draining"}), "is not ready"),
        (Answer(cut=True), Answer(), "does not answer"),
    ],
)
def test_server_is_not_usable(
    server: FakeServer, pushctl: Pushctl, health: Answer, ready: Answer, detail: str
) -> None:
    """A server that is not there or not ready is what is wrong, and exits with 1."""
    server.on("GET /healthz", health)
    server.on("GET /readyz", ready)
    code, checks, _ = examined(pushctl)
    assert code == 1
    assert checks["server"][0] == "wrong"
    assert detail in checks["server"][1]


@pytest.mark.parametrize(
    ("call", "status", "code", "detail"),
    [
        ("devices", 401, 1, "does not know the token"),
        ("devices", 403, 1, "may not list devices"),
        ("rejections", 403, 0, "may not see what the device port refuses"),
        ("tokens", 403, 0, "has the role operator"),
        ("info", 404, 0, "has the role admin"),
    ],
)
def test_token(server: FakeServer, pushctl: Pushctl, call: str, status: int, code: int, detail: str) -> None:
    """The role of the token is found out by what the server allows."""
    server.on(f"GET /v1/{call}", Answer(status=status, body={"detail": "No."}))
    exit_code, checks, _ = examined(pushctl)
    assert exit_code == code
    assert detail in checks["token"][1]
    assert ("rejections" in checks) == (code == 0 and call != "rejections")


def test_no_token(server: FakeServer, pushctl: Pushctl) -> None:
    """Without a usable token the ports are examined nevertheless."""
    result = pushctl("--token", "not a token", "doctor", "--json")
    checks = {each["check"]: each["status"] for each in json.loads(result.stdout)["findings"]}
    assert checks == {"server": "ok", "token": "wrong", "device_port": "warning"}
    assert result.exit_code == 1
    assert not any(call.startswith("GET /v1/") for call, _ in server.received)


def test_rejections(server: FakeServer, pushctl: Pushctl) -> None:
    """What was refused in the last minutes is shown with its remedy, older rejections are not; the exit code is 8."""
    old = {**REJECTION, "last_at": "1970-01-12T13:00:00.000Z", "reason": "closed"}
    server.on("GET /v1/rejections", Answer(body={"items": [UNREADABLE, REJECTION, old]}))
    result = pushctl("doctor")
    assert result.exit_code == 8
    assert "wrong    2 kinds of requests were refused in the last 15 min:" in result.stdout
    assert "         wrong_base  192.0.2.1  /controlid/push  controlid:7  12 times" in result.stdout
    assert "closed" not in result.stdout
    assert result.stdout.splitlines()[-1] == f"Next: {REJECTION['remedy']}"


def test_scans_are_no_problem(server: FakeServer, pushctl: Pushctl) -> None:
    """What is no HTTP, as scans of the port are not, is a warning."""
    server.on("GET /v1/rejections", Answer(body={"items": [UNREADABLE]}))
    code, checks, _ = examined(pushctl)
    assert (code, checks["rejections"][0]) == (0, "warning")


def test_rejections_of_other_devices(server: FakeServer, pushctl: Pushctl) -> None:
    """If one device is examined, what was refused to others is not shown, but what may be of it is."""
    server.on("GET /v1/rejections", Answer(body={"items": [UNREADABLE, REJECTION]}))
    _, _, found = examined(pushctl, "--device", READER)
    assert found["rejections"] == [UNREADABLE]


@pytest.mark.parametrize("last_seen", ["1970-01-12T13:46:11.000Z", "1970-01-12T13:46:09.000Z", None])
@pytest.mark.parametrize("arguments", [[], ["--device", "controlid:7"]])
def test_mended_fault(server: FakeServer, pushctl: Pushctl, last_seen: str | None, arguments: list[str]) -> None:
    """What was refused before the latest good poll of its device is not the next step any more."""
    known = Answer(body={**DEVICE, "id": "controlid:7", "last_seen_at": last_seen})
    server.on("GET /v1/devices/controlid:7", known)
    server.on("GET /v1/rejections", Answer(body={"items": [REJECTION]}))
    code, checks, found = examined(pushctl, *arguments)
    is_mended = last_seen == "1970-01-12T13:46:11.000Z"
    assert (found["rejections"] == [], found["next_step"] is None) == (is_mended, is_mended)
    assert checks["rejections"][0] == "ok" or not is_mended
    assert code == 0 or not is_mended


def test_claimed_id_that_no_device_has(server: FakeServer, pushctl: Pushctl) -> None:
    """What clients claim to be need not be an id."""
    server.on("GET /v1/devices/controlid:7", Answer(status=422, body={"detail": "No."}))
    server.on("GET /v1/rejections", Answer(body={"items": [REJECTION]}))
    assert examined(pushctl)[2]["rejections"] == [REJECTION]


@pytest.mark.parametrize("known", [True, False])
def test_refused_device(server: FakeServer, pushctl: Pushctl, known: bool) -> None:
    """A device that is refused, known or not, has the remedy as the next step, and exits with 8."""
    server.on("GET /v1/rejections", Answer(body={"items": [{**REJECTION, "device": READER}]}))
    away = {**DEVICE, "polling": False, "presence": "never_seen", "last_seen_at": None}
    server.on(f"GET /v1/devices/{READER}", Answer(body=away) if known else Answer(status=404, body={"detail": "No."}))
    code, checks, found = examined(pushctl, "--device", READER)
    assert code == 8
    assert f"{READER} is refused: wrong_base from 192.0.2.1" in checks["device"][1]
    assert found["next_step"] == REJECTION["remedy"]
    assert (found["device"] is None) is not known


@pytest.mark.parametrize(
    ("url", "answers", "status", "detail"),
    [
        ("http://h:9/controlid", {"/controlid/push": SERVED}, "ok", "http://h:9/controlid serves polls: Control iD"),
        (
            "h:9/controlid",
            {"/controlid/push": SERVED},
            "ok",
            "http://h:9/controlid serves polls: Control iD at /push.",
        ),
        ("http://h:9/1", {"/1/push/pushctl-doctor": SERVED}, "ok", "serves polls: Server-Eye"),
        ("http://h:9/x", {}, "wrong", "No device is served at http://h:9/x."),
        ("http://h:9/d/secret", {}, "wrong", "No device is served at http://h:9/d/***."),
        ("http://h:9/push", {"/push/push": SERVED}, "warning", "ends in /push"),
        ("https://h:9", {}, "wrong", "h:9 does not speak TLS."),
        ("http://h:9", {"/push": Answer(status=404, body={"detail": "No."})}, "ok", "Server-Eye"),
    ],
)
def test_device_url(
    server: FakeServer, pushctl: Pushctl, url: str, answers: dict[str, Answer], status: str, detail: str
) -> None:
    """The address as it is set in a device is examined: what is served there, and whether it has a common mistake."""
    for path in ("/push", "/push/pushctl-doctor"):
        for prefix in ("/x", "/controlid", "/d/secret", "/1", "/push"):
            server.on(f"OPTIONS {prefix}{path}", NOTHING)
    for path, answer in answers.items():
        server.on(f"OPTIONS {path}", answer)
    code, checks, _ = examined(pushctl, "--device-url", url)
    if answers.get("/push") is not None:
        status, detail = "wrong", "http://h:9 is the admin port."
    assert checks["device_port"][0] == status
    assert detail in checks["device_port"][1]
    assert code == (1 if status == "wrong" else 0)


def test_missing_base(server: FakeServer, pushctl: Pushctl) -> None:
    """A base that the server has, but that does not arrive there, points to a proxy."""
    server.on("GET /v1/info", Answer(body={**INFO, "listen": {"devices": ["tcp:8080"], "bases": ["/controlid"]}}))
    server.on("OPTIONS /controlid/push", NOTHING)
    code, checks, found = examined(pushctl)
    assert (code, checks["device_port"][0]) == (1, "wrong")
    assert "proxy" in found["next_step"]


def test_options_of_the_server(server: FakeServer, pushctl: Pushctl) -> None:
    """The server's own --device-url and --require-proof count."""
    options = {"device-url": "https://devices.example.org/base", "require-proof": True}
    server.on("GET /v1/info", Answer(body={**INFO, "options": options}))
    server.on(f"GET /v1/devices/{READER}", Answer(body={**DEVICE, "proof": []}))
    _, checks, _ = examined(pushctl, "--device", READER)
    assert checks["device_port"][1] == "devices.example.org:443 does not speak TLS."
    assert "--require-proof" in checks["device"][1]


@pytest.mark.parametrize(
    ("listen", "urls"),
    [
        (["tcp:8080", "tcp:9000:interface=0.0.0.0"], ["http://127.0.0.1:8080", "http://127.0.0.1:9000"]),
        (["tcp:8080:interface=192.0.2.9"], ["http://192.0.2.9:8080"]),
        ([r"tcp:8080:interface=\:\:1"], ["http://[::1]:8080"]),
        (["haproxy:tcp:8080", "unix:/run/x"], ["http://127.0.0.1:8080"]),
    ],
)
def test_device_port_of_the_server(server: FakeServer, pushctl: Pushctl, listen: list[str], urls: list[str]) -> None:
    """Without --device-url, the ports are examined of which the server says that it listens there."""
    server.on("GET /v1/info", Answer(body={**INFO, "listen": {"devices": listen}}))
    result = pushctl("doctor", "--json")
    details = [each["detail"] for each in json.loads(result.stdout)["findings"] if each["check"] == "device_port"]
    assert [detail.split()[3] for detail in details] == urls


@pytest.mark.parametrize(
    "info", [Answer(status=404, body={"detail": "No."}), Answer(body={**INFO, "listen": {"devices": ["tcp:0", "x"]}})]
)
def test_device_port_that_is_not_known(server: FakeServer, pushctl: Pushctl, info: Answer) -> None:
    """If the server does not say where the device port is, no port is tried, and a warning asks for --device-url."""
    server.on("GET /v1/info", info)
    code, checks, found = examined(pushctl)
    assert (code, checks["device_port"]) == (0, ("warning", "The device port is not known."))
    assert "--device-url" in found["next_step"]
    assert not any(call.startswith("OPTIONS") for call, _ in server.received)


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://a..b", "http://[::1", ""])
def test_bad_device_url(pushctl: Pushctl, url: str) -> None:
    """A --device-url that is no URL is an error of usage, before any request."""
    result = pushctl("doctor", "--device-url", url)
    assert (result.exit_code, pushctl.server.received) == (2, [])
    assert "--device-url" in result.stderr
