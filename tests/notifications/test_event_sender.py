"""Tests of :mod:`pushd.notifications.webhooks.event_sender`: what receivers get, and test messages."""

import json
from time import time
from typing import Any

import pytest
from twisted.web.server import Site

from pushd.core.clocks import Clocks
from pushd.core.egress_policy import EgressPolicy
from pushd.core.notification_tester import ReceiverAnswer
from pushd.lib.ip_networks import parse_network
from pushd.lib.webhook_message import MAX_RESULT
from pushd.lib.webhook_sender import WebhookSender
from pushd.lib.webhook_signature import make_signing_secret
from pushd.model.webhook import Secret, Subscription, Webhook
from pushd.notifications.webhooks.event_sender import MAX_TEST_ERROR, EventSender
from pushd.notifications.webhooks.guarded_agent import build_agent
from tests.connection import request
from tests.in_memory_server import BuildServer
from tests.notifications.webhook_harness import NO_RESPONSE, Receiver, WebhookHarness
from tests.store.clock import new_store

DEVICE = "controlid:1"
LABELS = {"name": "Main gate", "site": "Lisbon", "tags": ["door", "north"]}


@pytest.fixture
def gate(harness: WebhookHarness) -> WebhookHarness:
    """A harness with a device that has a name, a site and tags."""
    harness.server.register(DEVICE, **LABELS)
    return harness


def run_command(harness: WebhookHarness, result: bytes = b'{"response": "{}"}') -> str:
    """A command that the device answers."""
    server = harness.server
    command = server.put(DEVICE, {"endpoint": "load_objects"})
    server.device_request(request("GET /push?deviceId=1&uuid=u")).answer()
    assert server.device_request(request("POST /result?deviceId=1&uuid=u", result)).answer().code == 200
    harness.run()
    return command


def any_event(harness: WebhookHarness) -> dict[str, Any]:
    """An event as the admin API shows it."""
    event: dict[str, Any] = harness.server.ask("GET /v1/events?limit=1").json["items"][0]
    return event


def test_labels_of_the_device(gate: WebhookHarness) -> None:
    """Each message about a command has the name, site and tags of its device."""
    gate.subscribe()
    run_command(gate)
    sent = {message.type: message.event for message in gate.receiver.messages}
    assert set(sent) >= {"command.queued", "command.sent", "command.succeeded", "device.online"}
    for event in sent.values():
        assert {name: event["data"][name] for name in LABELS} == LABELS


def test_labels_of_a_deleted_device(gate: WebhookHarness) -> None:
    """The last labels of a deleted device are in the messages about it."""
    webhook = gate.subscribe(types=["command.queued"])
    gate.receiver.answer = lambda _: 500
    gate.server.put(DEVICE, {"endpoint": "load_objects"})
    gate.run()
    gate.server.ask(f"DELETE /v1/devices/{DEVICE}")
    gate.receiver.answer = lambda _: 204
    gate.redeliver(webhook)
    gate.run()
    event = gate.receiver.messages[-1].event
    assert {name: event["data"][name] for name in LABELS} == LABELS


@pytest.mark.parametrize("wanted", [True, False])
def test_result(gate: WebhookHarness, wanted: bool) -> None:
    """The result of a command is in the message about its end, if the webhook asks for it."""
    gate.subscribe(types=["command.queued", "command.succeeded"], include_result=wanted)
    run_command(gate, b'{"response": "{\\"users\\": []}"}')
    queued, succeeded = (message.event for message in gate.receiver.messages)
    assert "result" not in queued["data"]
    assert succeeded["data"].get("result") == ({"response": '{"users": []}'} if wanted else None)


@pytest.mark.parametrize("size", [MAX_RESULT - 20, MAX_RESULT + 1, 200_000])
def test_large_results(gate: WebhookHarness, size: int) -> None:
    """Of a result of more than 64 KiB, the beginning of its text is in the message, and its size."""
    gate.subscribe(types=["command.succeeded"], include_result=True)
    run_command(gate, json.dumps({"response": "x" * size}).encode())
    [message] = gate.receiver.messages
    data = message.event["data"]
    if size < MAX_RESULT:
        assert data["result"] == {"response": "x" * size}
        assert "result_size" not in data
    else:
        assert data["result"].startswith('{"response": "xxx')
        assert len(data["result"]) == MAX_RESULT < data["result_size"]


def test_slack(gate: WebhookHarness) -> None:
    """A webhook in another format gets a sentence, without a signature, which the service would not check."""
    gate.subscribe(types=["command.succeeded"], format="slack")
    run_command(gate)
    [message] = gate.receiver.messages
    text = json.loads(message.body)["text"]
    assert text.endswith(" for Main gate (controlid:1) succeeded.")
    assert not [name for name in message.headers if name.startswith("webhook-")]


@pytest.mark.parametrize(
    ("kind", "page"), [("device.changed", "devices/controlid:1"), ("alert.acknowledged", "alerts/{alert}")]
)
def test_links(build_server: BuildServer, kind: str, page: str) -> None:
    """With the URL of the server, a message to ntfy links to the alert, or else to the device."""
    harness = WebhookHarness(build_server(base_url="https://pushd.example.org", alert_window=0.0))
    harness.subscribe(types=[kind], format="ntfy")
    harness.server.register(DEVICE, heartbeat_timeout=1)
    harness.server.ask(f"PATCH /v1/devices/{DEVICE}", {"name": "Gate"})
    harness.server.device_request(request("GET /push?deviceId=1")).hang_up()
    harness.server.tick(5)
    [alert] = harness.server.ask("GET /v1/alerts").json["items"]
    harness.server.ask(f"POST /v1/alerts/{alert['id']}/acknowledge")
    harness.run()
    [message] = harness.receiver.messages
    assert message.headers["click"] == f"https://pushd.example.org/{page.format(alert=alert['id'])}"
    harness.stop(10)


def test_late_sentence(gate: WebhookHarness) -> None:
    """A sentence that arrives late says when it happened."""
    webhook = gate.subscribe(types=["command.queued"], format="ntfy")
    gate.receiver.answer = lambda _: 500
    gate.server.put(DEVICE, {"endpoint": "load_objects"})
    gate.run(120)
    gate.receiver.answer = lambda _: 204
    gate.redeliver(webhook)
    gate.run()
    texts = [message.body.decode() for message in gate.receiver.messages]
    assert texts[0].endswith(" was queued (by admin).")
    assert texts[-1].startswith(texts[0] + " (20")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"devices": [DEVICE]}, [DEVICE]),
        ({"devices": [DEVICE, "controlid:2"]}, [DEVICE, "controlid:2"]),
        ({"sites": ["Lisbon"]}, [DEVICE]),
        ({"sites": ["Lisbon", "Porto"]}, [DEVICE, "controlid:2"]),
        ({"sites": ["Porto"], "tags": ["door"]}, ["controlid:2"]),
        ({"sites": ["Lisbon"], "tags": ["south"]}, []),
        ({"sites": ["Lisbon"], "devices": ["controlid:2"]}, []),
        ({"devices": ["controlid:9"]}, []),
    ],
)
def test_narrowing(gate: WebhookHarness, fields: dict[str, Any], expected: list[str]) -> None:
    """A webhook gets the events of devices that satisfy each of its selectors."""
    gate.server.register("controlid:2", site="Porto", tags=["door"])
    gate.server.register("controlid:3")
    gate.subscribe(types=["command.queued"], **fields)
    for number in (1, 2, 3):
        gate.server.put(f"controlid:{number}", {"endpoint": "load_objects"})
    gate.run()
    assert [message.event["device"] for message in gate.receiver.messages] == expected


def test_device_that_moves_to_another_site(gate: WebhookHarness) -> None:
    """The change that moves a device to a site matches, and so do the events after it."""
    gate.subscribe(sites=["Porto"])
    for fields in ({"name": "Gate"}, {"site": "Porto"}, {"name": "Door"}):
        gate.server.ask(f"PATCH /v1/devices/{DEVICE}", fields)
        gate.run()
    assert [message.event["data"]["fields"] for message in gate.receiver.messages] == [["site"], ["name"]]


def ask_test(harness: WebhookHarness, webhook: dict[str, Any], seconds: float = 1) -> dict[str, Any]:
    """Test a webhook; what the answer says."""
    connection = harness.server.begin(f"POST /v1/webhooks/{webhook['id']}/test")
    harness.run(seconds)
    answer: dict[str, Any] = connection.answer().json
    return answer


def test_test_message(gate: WebhookHarness) -> None:
    """A test message is signed like others, and the answer says what the receiver made of it."""
    webhook = gate.subscribe(types=["device.offline"])
    gate.receiver.body, gate.receiver.answer = b"the body of a success is not shown", lambda _: 200
    answer = ask_test(gate, webhook)
    assert answer == {"status": 200, "duration": 0.0, "error": None}
    [message] = gate.receiver.messages
    assert message.type == "pushd.test"
    assert message.signed_by(webhook["secret"])
    assert "." not in message.id
    assert message.event.keys() == any_event(gate).keys()


@pytest.mark.parametrize("format", ["slack", "ntfy"])
def test_test_sentence(gate: WebhookHarness, format: str) -> None:  # noqa: A002 - the field's name
    """A test message in another format is a sentence."""
    ask_test(gate, gate.subscribe(types=["device.offline"], format=format))
    [message] = gate.receiver.messages
    assert b"This is a test message from pushd" in message.body


def test_test_that_fails(gate: WebhookHarness) -> None:
    """The answer has the status, and the beginning of what the receiver says in one printable line."""
    webhook = gate.subscribe(types=["device.offline"])
    gate.receiver.answer, gate.receiver.body = lambda _: 500, b"broken\n\x1b[31m" + b"x" * 500
    answer = ask_test(gate, webhook)
    assert answer["status"] == 500
    assert answer["error"].startswith("broken")
    assert answer["error"].isprintable()
    assert len(answer["error"]) == MAX_TEST_ERROR
    gate.receiver.body = b""
    assert ask_test(gate, webhook)["error"] == "the receiver answered 500"


def test_redirect_is_not_followed(gate: WebhookHarness) -> None:
    """A redirect is the answer of the receiver, and nothing is sent to where it points."""
    webhook = gate.subscribe(types=["device.offline"])
    gate.receiver.answer, gate.receiver.headers = lambda _: 302, {"Location": "https://receiver.example/other"}
    assert ask_test(gate, webhook)["status"] == 302
    assert len(gate.receiver.messages) == 1


def test_test_without_an_answer(gate: WebhookHarness) -> None:
    """A receiver that does not answer in time is named as the reason."""
    webhook = gate.subscribe(types=["device.offline"])
    gate.receiver.answer = lambda _: NO_RESPONSE
    answer = ask_test(gate, webhook, 11)
    assert (answer["status"], answer["error"]) == (None, "no answer within 10 s")
    assert answer["duration"] >= 10


def test_a_test_changes_nothing(gate: WebhookHarness) -> None:
    """A disabled webhook can be tested, and stays disabled; the cursor and the delivery log stay as they are."""
    webhook = gate.subscribe(types=["command.queued"])
    gate.receiver.answer = lambda _: 410
    gate.server.put(DEVICE, {"endpoint": "load_objects"})
    gate.run(2)
    before, log = gate.get(webhook), gate.deliveries(webhook)
    assert before["disabled_at"] is not None
    for status in (204, 410):
        gate.receiver.answer = lambda _, status=status: status  # type: ignore[misc]
        assert ask_test(gate, webhook)["status"] == status
        assert (gate.get(webhook), gate.deliveries(webhook)) == (before, log)


async def _test_over_network(*allowed: str, status: int = 204) -> tuple[ReceiverAnswer, Receiver]:
    """What the answer to a test says, and the receiver, which listens on this machine."""
    from twisted.internet import reactor as installed

    reactor: Any = installed
    receiver = Receiver()
    receiver.answer = lambda _: status
    port = reactor.listenTCP(0, Site(receiver), interface="127.0.0.1")
    agent = build_agent(reactor, EgressPolicy(tuple(parse_network(network) for network in allowed)))
    store = new_store()
    known_devices: Any = None
    sender = EventSender(WebhookSender(agent, reactor), Clocks(reactor, time), known_devices, store)
    url = f"http://127.0.0.1:{port.getHost().port}/hook?key=1"
    webhook = Webhook(id="w", url=url, created_at=0)
    try:
        subscription = Subscription(webhook=webhook, revision=0, secrets=(Secret(text=make_signing_secret()),))
        return await sender.send_test(subscription), receiver
    finally:
        await port.stopListening()


async def test_over_the_network() -> None:
    """A test reaches a receiver that listens on a port."""
    answer, receiver = await _test_over_network("127.0.0.0/8")
    assert (answer.status, answer.error) == (204, None)
    assert 0 < answer.duration < 10
    assert [message.path for message in receiver.messages] == ["/hook?key=1"]


async def test_guard() -> None:
    """A test goes through the same guard as events: it cannot reach private networks."""
    answer, receiver = await _test_over_network()
    assert answer.status is None
    assert "--webhook-allow" in str(answer.error)
    assert receiver.messages == []
