"""Tests of the page of a device: how it is, and what can be done with it."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.accessibility import check_everywhere
from tests.dashboard.conftest import MakeDashboard, MakeServer
from tests.dashboard.fleet import HOSTILE, OPTIONS, Fleet
from tests.dashboard.readers import JSON, Reader
from tests.integration.server import Server, until

pytestmark = pytest.mark.slow(seconds=15)

HOSTILE_RESULT = "<script>alert(1)</script><img src=x onerror=alert(2)>" + "A" * 100_000


@pytest.fixture
def own(make_server: MakeServer) -> Server:
    """A server."""
    return make_server(usual=OPTIONS).start()


def card(page: Page, title: str) -> Locator:
    """A box of the page."""
    return page.get_by_role("region", name=title)


def test_how_a_device_is(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """The page says who it is, how its last day was, what it was sent and what is known of it."""
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    dashboard.open(f"/devices/{fleet.online}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lobby reader")
    expect(page.locator(".title .lead")).to_contain_text("iDFace · 0G020?/005B6D")
    expect(page.get_by_role("img", name="Lobby reader, last 24 hours:")).to_be_visible()
    expect(card(page, "Commands").get_by_role("row").nth(1)).to_contain_text("Unknown")
    expect(card(page, "Facts")).to_contain_text("North")
    expect(card(page, "Proof of identity")).to_contain_text("can be this device. A secret ends that.")
    page.keyboard.press("o")
    expect(page.get_by_role("link", name="Open", exact=True)).to_be_focused()
    assert page.url.endswith(fleet.online)
    dashboard.check()


def test_a_hostile_name(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """What a device or a person wrote is text, whatever is in it."""
    dashboard = make_dashboard(fleet.server)
    dashboard.open(f"/devices/{fleet.hostile}")
    expect(dashboard.page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(dashboard.page.locator("main img, main script")).to_have_count(0)
    dashboard.check()


def test_a_command_by_form(own: Server, make_dashboard: MakeDashboard) -> None:
    """The form and the JSON are one; what is sent appears in the table, opened, and its result is text."""
    reader = Reader(own, 7)
    reader.poll()
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    send = card(page, "Send a command")
    expect(send.get_by_role("button", name="Send")).to_have_count(0)
    send.get_by_label("Command", exact=True).select_option("message_to_screen")
    send.get_by_label("message", exact=True).fill("Back at 15:00")
    text = send.get_by_label("The same as JSON")
    expect(text).to_have_value(re.compile('"message": "Back at 15:00"'))
    text.fill('{"endpoint": "message_to_screen", "body": {"message": "Olá", "timeout": 500}}')
    expect(send.get_by_label("message", exact=True)).to_have_value("Olá")
    expect(send.get_by_label("timeout")).to_have_value("500")
    text.fill('{"endpoint": "message_to_screen", "body": {"message": "Olá", "other": 1}}')
    expect(send).to_contain_text("The form cannot show all of this")
    text.fill("{")
    expect(send).to_contain_text("This is not JSON")
    expect(send.get_by_role("button", name="Send")).to_have_count(0)
    text.fill('{"endpoint": "message_to_screen", "body": {"message": "Olá"}}')
    send.get_by_label("Reference").fill("ticket 7")
    send.get_by_role("button", name="Send").click()
    row = card(page, "Commands").get_by_role("row").nth(1)
    expect(row).to_contain_text("Sent")
    assert reader.take()["body"] == {"message": "Olá"}
    reader.report({"response": {"said": HOSTILE_RESULT}})
    expect(row).to_contain_text("Succeeded")
    expect(row.locator(".opened")).to_contain_text("<script>alert(1)</script>")
    assert len(row.inner_text()) < 2000
    (command,) = reader.commands()
    assert command["trace"] == "ticket 7"
    dashboard.check()


def test_a_number_stays_what_it_is(own: Server, make_dashboard: MakeDashboard) -> None:
    """A number beyond the integers of JavaScript is sent as it was written."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own)
    dashboard.open(reader.path)
    send = card(dashboard.page, "Send a command")
    send.get_by_label("The same as JSON").fill('{"endpoint": "later", "body": {"id": 9223372036854775807}}')
    send.get_by_role("button", name="Send").click()
    expect(send).to_contain_text("Accepted")
    (command,) = reader.commands()
    assert own.command(command["id"])["payload"]["body"] == {"id": 9223372036854775807}


def test_a_command_that_is_refused(own: Server, make_dashboard: MakeDashboard) -> None:
    """What is wrong is said at the field, and nothing is stored; the next try is another command."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    send = card(page, "Send a command")
    send.get_by_label("Command", exact=True).select_option("remote_enroll")
    send.get_by_label("type", exact=True).select_option("face")
    send.get_by_label("Valid for").fill("-3")
    send.get_by_role("button", name="Send").click()
    expect(send.get_by_label("Valid for")).to_have_attribute("aria-invalid", "true")
    send.get_by_label("Valid for").fill("30")
    send.get_by_label("type", exact=True).select_option("–")
    send.get_by_role("button", name="Send").click()
    expect(send.get_by_label("type", exact=True)).to_have_attribute("aria-invalid", "true")
    assert reader.commands() == []
    expect(send).to_contain_text("It is not online: this expires in 30 s")
    dashboard.check()


def test_a_secret(own: Server, make_dashboard: MakeDashboard) -> None:
    """A secret is shown once; neither Escape nor the address nor the page has it afterwards, and it is in force."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    page.get_by_role("button", name="Make a secret…").click()
    page.get_by_role("button", name="Make it").click()
    field = page.get_by_label("Secret path")
    expect(field).to_have_value(re.compile("^/d/."))
    secret = field.input_value()
    page.keyboard.press("Escape")
    expect(field).to_be_visible()
    page.get_by_role("button", name="I have stored it").click()
    expect(card(page, "Proof of identity")).to_contain_text("It has a secret path.")
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}]) + location.href")
    assert secret not in page.content()
    assert secret not in stored
    refused = own.devices.ask("GET /push?deviceId=7")
    assert refused.body == b""
    until(lambda: own.admin.ask("GET /v1/rejections").json["items"], "it was refused")
    dashboard.open(reader.path)
    expect(card(page, "Went wrong lately")).to_contain_text("127.0.0.1 was refused 1 time.")
    page.get_by_role("button", name="Replace the secret…").click()
    expect(page.get_by_label("The old one stays valid for")).to_have_value("3600")
    dashboard.check()


def test_what_it_may_connect_from(own: Server, make_dashboard: MakeDashboard) -> None:
    """Networks are set, and a wrong one is named."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    page.get_by_role("button", name="Allow addresses…").click()
    page.get_by_label("Networks").fill("203.0.113.0/24 nowhere")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Networks")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Networks").fill("203.0.113.0/24")
    page.get_by_role("button", name="Save").click()
    expect(card(page, "Proof of identity")).to_contain_text("203.0.113.0/24")
    dashboard.check()


def test_facts(own: Server, make_dashboard: MakeDashboard) -> None:
    """Facts are edited in their place; what the server refuses is said at the field."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    facts = card(page, "Facts")
    facts.get_by_role("button", name="Edit").click()
    facts.get_by_label("Name").fill("Back door")
    facts.get_by_label("Tags").fill("24h, back")
    facts.get_by_label("Offline after").fill("soon")
    facts.get_by_role("button", name="Save").click()
    expect(facts.get_by_label("Offline after")).to_have_attribute("aria-invalid", "true")
    facts.get_by_label("Offline after").fill("90")
    facts.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Back door")
    expect(facts).to_contain_text("1 min")
    device = own.admin.ask(f"GET /v1/devices/{reader.id}").json
    assert (device["tags"], device["heartbeat_timeout"], device["facts"]["model"]) == (["24h", "back"], 90, "iDFace")
    dashboard.check()


def test_muting_blocking_and_forgetting(own: Server, make_dashboard: MakeDashboard) -> None:
    """A device is muted until a time, blocked and let in again, and forgotten after a word about what follows."""
    reader = Reader(own, 7)
    own.send(reader.id, {"endpoint": "load_objects"}, ttl=3600)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    page.get_by_role("button", name="Mute…").click()
    page.get_by_label("For", exact=True).select_option("Until…")
    page.get_by_label("Until", exact=True).fill("2001-01-01T00:00")
    expect(page.get_by_text("This time is over.")).to_be_visible()
    page.get_by_label("Until", exact=True).fill("2090-05-17T12:00")
    page.get_by_role("dialog").get_by_role("button", name="Mute", exact=True).click()
    expect(page.locator(".title")).to_contain_text("muted until 17 May 2090")
    page.get_by_role("button", name="Unmute").click()
    expect(page.locator(".title")).not_to_contain_text("muted until")
    page.get_by_role("button", name="Block").click()
    expect(page.locator(".title")).to_contain_text("Blocked")
    expect(page.get_by_role("link", name="Open", exact=True)).to_have_count(0)
    expect(card(page, "Send a command")).to_have_count(0)
    page.get_by_role("button", name="Unblock").click()
    expect(page.get_by_role("link", name="Open", exact=True)).to_be_visible()
    page.get_by_role("button", name="Forget…").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 command that waits is cancelled.")
    page.get_by_role("button", name="Forget device").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")
    assert own.admin.ask(f"GET /v1/devices/{reader.id}").code == 404
    dashboard.check()


def test_what_went_wrong(own: Server, make_dashboard: MakeDashboard) -> None:
    """A result that matches no command is shown when it comes."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    expect(card(page, "Went wrong lately")).to_have_count(0)
    own.devices.ask("POST /result?deviceId=7&uuid=unknown", {"response": {}}, **JSON)
    expect(card(page, "Went wrong lately")).to_contain_text("matches no command")
    dashboard.check()


def test_forms_and_dialogs(own: Server, make_dashboard: MakeDashboard, axe: str) -> None:
    """Forms and dialogs are accessible, and fit, in both themes, on a phone and on a wide screen."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own)
    page = dashboard.page
    dashboard.open(reader.path)
    card(page, "Send a command").get_by_label("Command", exact=True).select_option("remote_enroll")
    card(page, "Facts").get_by_role("button", name="Edit").click()
    check_everywhere(dashboard, axe)
    page.get_by_role("button", name="Make a secret…").click()
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_label("Secret path")).to_be_visible()
    check_everywhere(dashboard, axe)
    page.get_by_role("button", name="I have stored it").click()
    page.get_by_role("button", name="Mute…").click()
    page.get_by_label("For", exact=True).select_option("Until…")
    check_everywhere(dashboard, axe)
    dashboard.check()


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"role": "viewer"}, []),
        ({"role": "operator", "endpoints": ["open"]}, ["Open"]),
        ({"role": "operator"}, ["Mute…", "Block", "Open"]),
    ],
)
def test_what_may_not_be_done_is_not_there(
    own: Server, make_dashboard: MakeDashboard, fields: dict[str, Any], shown: list[str]
) -> None:
    """Each role finds what the server lets it do, and nothing else."""
    reader = Reader(own, 7)
    answer = own.admin.ask("POST /v1/tokens", {"name": "other", **fields})
    assert answer.code == 201, answer.body
    dashboard = make_dashboard(own, token=answer.json["token"])
    page = dashboard.page
    dashboard.open(reader.path)
    expect(page.locator(".title .acts > *")).to_have_text(shown)
    may_send = fields == {"role": "operator"}
    expect(card(page, "Send a command")).to_have_count(1 if may_send else 0)
    for name in ("Make a secret…", "Edit", "Forget…"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    dashboard.check()
