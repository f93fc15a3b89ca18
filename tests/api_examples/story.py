"""What an operator and two devices do on the first day: each call of the API once, and each error of its own."""

from collections.abc import Sequence
from http import HTTPStatus

from pushd.core.commands.command_queue import MAX_QUEUED
from pushd.core.notification_tester import MAIL_TESTS, WEBHOOK_TESTS, ReceiverAnswer, RecipientReply
from pushd.core.tokens import REFUSAL_DELAY
from pushd.model.person import MAX_PEOPLE
from pushd.model.token import MAX_TOKENS, Role
from pushd.model.webhook import MAX_WEBHOOKS, Attempt, Progress, Subscription
from tests.api_examples.recorder import Recorder
from tests.connection import request
from tests.results import result_of

READER, CONTAINER, OTHER = "controlid:4408801109440198", "servereye:4f1c2d", "controlid:4711"
SEND = f"POST /v1/devices/{READER}/commands"
LOAD = {"payload": {"endpoint": "load_objects", "body": {"object": "users"}}, "ttl": 60}
REFRESH = {"control": "REFRESH_AGENT"}
UNKNOWN = "019bb9d1-3a00-7000-8000-000000000404"
"""The id of nothing."""

URL = "https://example.com/events"


def tell(recorder: Recorder) -> dict[str, str]:
    """Make all calls; then, by parameter of a path, what the server knows."""
    recorder.ask("GET /healthz")
    recorder.ask("GET /readyz")
    _devices(recorder)
    command = _commands(recorder)
    _refused_commands(recorder)
    _opening(recorder)
    alert = _alerts(recorder)
    webhook = _webhooks(recorder)
    _mail(recorder)
    person = _people(recorder)
    session = _sessions(recorder)
    token = _tokens(recorder)
    _logs(recorder)
    _credentials(recorder)
    return {
        "device": READER,
        "command": command,
        "alert": alert,
        "webhook": webhook,
        "token": token,
        "session": session,
        "person": person,
        "dialect": "controlid",
    }


def _devices(recorder: Recorder) -> None:
    reader = {"id": READER, "name": "Main gate", "site": "Lobby", "tags": ["lobby"], "heartbeat_timeout": 3600}
    recorder.ask("POST /v1/devices", reader)
    recorder.refused("device-known", "POST /v1/devices", reader)
    recorder.server.register(CONTAINER, name="Office")
    recorder.server.register(OTHER)
    recorder.ask(f"PATCH /v1/devices/{READER}", {"facts": {"model": "iDAccess"}})
    recorder.ask(f"GET /v1/devices/{READER}")
    recorder.ask("GET /v1/devices?limit=2")
    recorder.ask("POST /v1/devices/mute", {"site": "Lobby", "until": None})
    recorder.refused("not-found", "POST /v1/devices/mute", {"devices": ["controlid:404"], "until": None})
    recorder.ask("GET /v1/sites")
    recorder.ask("GET /v1/catalogue/controlid")
    recorder.ask("GET /v1/info")


def _poll(recorder: Recorder, uuid: str) -> None:
    polled = recorder.server.device_request(request(f"GET /push?deviceId={READER.partition(':')[2]}&uuid={uuid}"))
    assert polled.answer().code == HTTPStatus.OK


def _report(recorder: Recorder, uuid: str, body: bytes) -> None:
    _, _, number = READER.partition(":")
    recorder.server.device_request(request(f"POST /result?deviceId={number}&uuid={uuid}", body))


def _commands(recorder: Recorder) -> str:
    """Commands, and what becomes of them; the id of one that has succeeded."""
    key = "Idempotency-Key: users-4711"
    queued = recorder.ask(SEND, LOAD, key)["id"]
    recorder.refused("idempotency-conflict", SEND, LOAD | {"ttl": 90}, key)
    recorder.ask(f"GET /v1/commands/{queued}/explain")
    recorder.refused("illegal-move", f"POST /v1/commands/{queued}/resend")
    recorder.ask(f"POST /v1/commands/{queued}/cancel")
    recorder.refused("illegal-move", f"POST /v1/commands/{queued}/resolve", {"state": "failed"})
    again = recorder.ask(f"POST /v1/commands/{queued}/resend", {"ttl": 60})["id"]
    recorder.ask(f"POST /v1/commands/{queued}/resend", {"ttl": 60})
    _poll(recorder, "poll-1")
    recorder.ask(f"POST /v1/commands/{again}/cancel")
    _report(recorder, "poll-1", b'{"response": "{\\"users\\":[]}"}')
    recorder.refused("illegal-move", f"POST /v1/commands/{again}/cancel")
    waiting = recorder.server.begin(f"{SEND}?wait=10", LOAD)
    _poll(recorder, "poll-2")
    _report(recorder, "poll-2", b'{"response": "{\\"users\\":[]}"}')
    succeeded: str = recorder.record(SEND, waiting)["id"]
    recorder.ask(f"GET /v1/commands/{succeeded}")
    waiting = recorder.server.begin(f"{SEND}?wait=1", {"payload": {"endpoint": "reboot"}, "ttl": 60})
    recorder.server.tick(1)
    recorder.record(SEND, waiting)
    _poll(recorder, "poll-3")
    recorder.server.tick(61)
    lost = recorder.ask("GET /v1/commands?limit=2")["items"][0]["id"]
    recorder.ask(f"POST /v1/commands/{lost}/resolve", {"state": "succeeded", "note": "seen on the camera"})
    _report(recorder, "poll-9", b'{"response": "{}"}')
    recorder.ask(f"GET /v1/devices/{READER}/orphans")
    return succeeded


def _refused_commands(recorder: Recorder) -> None:
    """To devices that take none now."""
    server = recorder.server
    cancelled = {}
    for device, payload in (
        (CONTAINER, {"control": "REFRESH_AGENT"}),
        (OTHER, LOAD["payload"]),
        (READER, {"endpoint": "x"}),
    ):
        cancelled[device] = server.put(device, payload)
        server.ask(f"POST /v1/commands/{cancelled[device]}/cancel")
    server.device_request(request("GET /push/4f1c2d")).hang_up()
    server.device_request(request("GET /push/4f1c2d/signoff"))
    recorder.refused("device-signed-off", f"POST /v1/devices/{CONTAINER}/commands", {"payload": REFRESH})
    recorder.refused("device-signed-off", f"POST /v1/commands/{cancelled[CONTAINER]}/resend")
    server.ask(f"PATCH /v1/devices/{OTHER}", {"admission": "blocked", "facts": {"model": "iDAccess"}})
    recorder.refused("device-blocked", f"POST /v1/devices/{OTHER}/commands", LOAD)
    recorder.refused("device-blocked", f"POST /v1/devices/{OTHER}/open")
    recorder.refused("device-blocked", f"POST /v1/commands/{cancelled[OTHER]}/resend")
    for _ in range(MAX_QUEUED):
        server.put(READER, {"endpoint": "load_objects"}, ttl=30)
    recorder.refused("queue-full", SEND, LOAD)
    recorder.refused("queue-full", f"POST /v1/devices/{READER}/open")
    recorder.refused("queue-full", f"POST /v1/commands/{cancelled[READER]}/resend")
    server.tick(31)


def _opening(recorder: Recorder) -> None:
    recorder.server.register("controlid:8")
    recorder.refused("model-unknown", "POST /v1/devices/controlid:8/open")
    recorder.refused("cannot-open", f"POST /v1/devices/{CONTAINER}/open")
    line, key = f"POST /v1/devices/{READER}/open", "Idempotency-Key: ticket-17"
    opening = recorder.server.begin(line, {"door": 1}, key)
    _poll(recorder, "poll-4")
    _report(recorder, "poll-4", b'{"response": ""}')
    recorder.record(line, opening)
    recorder.refused("idempotency-conflict", line, {"door": 2}, key)


def _alerts(recorder: Recorder) -> str:
    """A device that goes offline; the id of the alert."""
    server = recorder.server
    server.register("controlid:9", name="Back door", site="Yard", heartbeat_timeout=60)
    server.device_request(request("GET /push?deviceId=9")).hang_up()
    server.tick(100)
    alert: str = recorder.ask("GET /v1/alerts?open=1")["items"][0]["id"]
    recorder.ask(f"POST /v1/alerts/{alert}/acknowledge")
    recorder.ask(f"GET /v1/alerts/{alert}")
    return alert


async def _answer(_subscription: Subscription) -> ReceiverAnswer:
    return ReceiverAnswer(status=204, duration=0.1, error=None)


def _webhooks(recorder: Recorder) -> str:
    server = recorder.server
    server.core.notification_tester.post = _answer
    webhook: str = recorder.ask("POST /v1/webhooks", {"url": URL, "types": ["command.failed"]})["id"]
    line = f"/v1/webhooks/{webhook}"
    recorder.ask(f"GET {line}")
    recorder.ask("GET /v1/webhooks")
    for _ in range(WEBHOOK_TESTS):
        recorder.ask(f"POST {line}/test")
    recorder.refused("too-many-tests", f"POST {line}/test")
    stored = result_of(server.store.subscription(webhook))
    progress = Progress(webhook=webhook, revision=stored.revision, cursor=3)
    attempt = Attempt(seq=3, at=server.core.clocks.wall_now(), duration=41, status=204)
    assert result_of(server.store.save_progress(progress, attempt))
    recorder.ask(f"GET {line}/deliveries")
    recorder.ask(f"POST {line}/redeliver")
    recorder.refused("not-found", f"POST /v1/webhooks/{UNKNOWN}/redeliver")
    recorder.ask(f"POST {line}/secret")
    recorder.ask(f"PATCH {line}", {"types": ["command.failed", "command.unknown"]})
    for _ in range(MAX_WEBHOOKS - 1):
        server.ask("POST /v1/webhooks", {"url": URL})
    recorder.refused("too-many-webhooks", "POST /v1/webhooks", {"url": URL})
    return webhook


async def _replies() -> Sequence[RecipientReply]:
    return (RecipientReply(address="guard@example.com", accepted=True, reply="250 OK"),)


def _mail(recorder: Recorder) -> None:
    recorder.refused("no-mail", "POST /v1/mail/test")
    recorder.server.core.notification_tester.mail = _replies
    for _ in range(MAIL_TESTS):
        recorder.ask("POST /v1/mail/test")
    recorder.refused("too-many-tests", "POST /v1/mail/test")


def _people(recorder: Recorder) -> str:
    ana = {"name": "ana", "role": "operator", "sites": ["Lobby"]}
    recorder.ask("POST /v1/people", ana)
    recorder.refused("name-taken", "POST /v1/people", ana)
    recorder.ask("GET /v1/people/ana")
    recorder.ask("PATCH /v1/people/ana", {"endpoints": ["open"]})
    recorder.ask("GET /v1/people")
    recorder.ask("POST /v1/people/ana/invite")
    for number in range(MAX_PEOPLE - 1):
        recorder.server.ask("POST /v1/people", {"name": f"person {number}", "role": "viewer"})
    recorder.refused("too-many-people", "POST /v1/people", {"name": "one more", "role": "viewer"})
    return "ana"


def _sessions(recorder: Recorder) -> str:
    line, server = "POST /v1/session", recorder.server
    log_in = {"token": server.token_of(Role.ADMIN)}
    recorder.refused("forbidden", line, log_in, "Origin: https://example.org")
    refused = server.begin(line, {"token": "wrong"})
    server.clock.advance(REFUSAL_DELAY)
    recorder.record(line, refused)
    session: str = recorder.ask(line, log_in, "User-Agent: Mozilla/5.0")["session"]
    recorder.ask("GET /v1/session")
    recorder.ask("GET /v1/sessions")
    recorder.ask(f"GET /v1/sessions/{session}")
    return session


def _tokens(recorder: Recorder) -> str:
    server = recorder.server
    lobby = {"name": "lobby", "role": "operator", "sites": ["Lobby"]}
    token: str = recorder.ask("POST /v1/tokens", lobby)["id"]
    recorder.refused("name-taken", "POST /v1/tokens", lobby)
    recorder.ask(f"GET /v1/tokens/{token}")
    recorder.ask("GET /v1/tokens?limit=2")
    recorder.ask(f"PATCH /v1/tokens/{token}", {"endpoints": ["open"]})
    admin = next(each["id"] for each in server.ask("GET /v1/tokens").json["items"] if each["file"])
    recorder.refused("name-taken", f"PATCH /v1/tokens/{token}", {"name": "admin"})
    recorder.refused("last-admin", f"DELETE /v1/tokens/{admin}")
    recorder.refused("last-admin", f"PATCH /v1/tokens/{admin}", {"expires_at": "2027-01-16T08:00:00Z"})
    recorder.ask(f"POST /v1/tokens/{token}/rotate")
    server.token_of(Role.DEVICE)  # which is needed later
    for number in range(MAX_TOKENS - len(server.core.tokens.all())):
        server.make_token(f"reader {number}", Role.VIEWER)
    recorder.refused("too-many-tokens", "POST /v1/tokens", {"name": "one more", "role": "viewer"})
    return token


def _logs(recorder: Recorder) -> None:
    recorder.ask("GET /v1/events?type=command.succeeded,command.unknown&limit=2")
    recorder.refused("events-purged", "GET /v1/events?after=0123456789ab-4711")
    recorder.refused("events-purged", "GET /v1/events/stream?after=0123456789ab-4711")
    recorder.ask("GET /v1/audit?limit=2")
    recorder.refused("events-purged", "GET /v1/audit?after=0123456789ab-4711")
    recorder.ask("GET /v1/fsck")
    recorder.server.device_request(request("GET /controlid/push?deviceId=4711"))
    recorder.server.tick(6)
    recorder.ask("GET /v1/rejections")


def _credentials(recorder: Recorder) -> None:
    recorder.ask(f"POST /v1/devices/{READER}/secret")
    recorder.ask(f"POST /v1/devices/{CONTAINER}/api-key")
    recorder.refused("no-api-key", f"POST /v1/devices/{READER}/api-key")
