"""Tests of opening a door: what is known is shown, and nothing else; one press opens once."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.accessibility import check_everywhere
from tests.dashboard.conftest import LAN_NAME, MakeDashboard, MakeServer
from tests.dashboard.fleet import OPTIONS
from tests.dashboard.readers import Reader
from tests.integration.server import Server, until
from tests.integration.simulator import running_simulator

pytestmark = pytest.mark.slow(seconds=20)

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
SUCCESS: dict[str, Any] = {"response": {}}


@pytest.fixture
def own(make_server: MakeServer) -> Server:
    """A server."""
    return make_server(usual=OPTIONS).start()


def press(page: Page) -> None:
    """Press the disc."""
    page.get_by_role("button", name="Open Lobby reader").click()


def test_a_door_opens(own: Server, make_dashboard: MakeDashboard) -> None:
    """Each step is shown when it happens; the reader's word ends it, and it can be opened again after a moment; later
    the page says who has opened it last.
    """
    reader = Reader(own, 7)
    reader.poll()
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    expect(page.get_by_text("North · Polling now")).to_be_visible()
    press(page)
    assert reader.take()["endpoint"] == "execute_actions"
    expect(page.get_by_text("Sent to the reader", exact=True)).to_be_visible()
    expect(page.get_by_text("It cannot be stopped any more.")).to_be_visible()
    dashboard.check()
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Lobby reader: Opened")).to_be_attached()
    expect(page.get_by_role("button", name="Open again")).to_be_visible()
    (command,) = reader.commands()
    assert command["trace"].startswith("dashboard ")
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.get_by_text(re.compile(r"^Last opened \d\d:\d\d by .*admin"))).to_be_visible()
    dashboard.check()


def test_a_name_in_a_local_network(own: Server, make_dashboard: MakeDashboard) -> None:
    """It works over plain HTTP under a name, where browsers have neither the clipboard nor locks."""
    reader = Reader(own, 7)
    reader.poll()
    dashboard = make_dashboard(own, host=LAN_NAME, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    assert page.evaluate("[isSecureContext, 'clipboard' in navigator, 'locks' in navigator]") == [False] * 3
    press(page)
    reader.take()
    expect(page.get_by_text("Sent to the reader", exact=True)).to_be_visible()  # by an event of the stream
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()
    dashboard.check()


def test_a_reader_that_refuses(own: Server, make_dashboard: MakeDashboard) -> None:
    """What the reader answers is shown as it is, as text; another try is another opening."""
    reader = Reader(own, 7)
    reader.poll()
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    press(page)
    reader.take()
    reader.report({"error": "<img src=x onerror=alert(1)> relay disabled"})
    expect(page.get_by_text("Not opened", exact=True)).to_be_visible()
    expect(page.get_by_text("<img src=x onerror=alert(1)> relay disabled")).to_be_visible()
    reader.poll()
    page.get_by_role("button", name="Try again").click()
    reader.take()
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()
    assert [command["state"] for command in reader.commands()] == ["succeeded", "failed"]
    dashboard.check()


def test_a_reader_of_another_model(own: Server, make_dashboard: MakeDashboard) -> None:
    """A reader that refuses may be another model, which opens otherwise: it is corrected in place."""
    reader = Reader(own, 7)
    reader.poll()
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    press(page)
    assert reader.take()["body"]["actions"][0]["action"] == "sec_box"
    reader.report({"error": "no such action"})
    page.get_by_role("button", name="Is it another model?").click()
    page.get_by_label("Model").select_option("iDAccess")
    page.get_by_role("button", name="Save").click()
    reader.poll()
    press(page)
    assert reader.take()["body"]["actions"][0]["action"] == "door"
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()
    dashboard.check()


def test_a_reader_that_does_not_poll_or_answer(own: Server, make_dashboard: MakeDashboard, axe: str) -> None:
    """Nothing was sent is one thing, no answer another: that is not known, until the reader or a person says it."""
    offline, late, silent = (Reader(own, number) for number in (7, 8, 9))
    late.poll()
    silent.poll()
    dashboard = make_dashboard(own, **PHONE)
    pages = {
        reader.id: dashboard.page if reader is offline else dashboard.new_page() for reader in (offline, late, silent)
    }
    for reader in (offline, late, silent):
        pages[reader.id].goto(f"{dashboard.origin}{reader.path}/open")
        press(pages[reader.id])
    late.take()
    silent.take()
    page = pages[offline.id]
    expect(page.get_by_text("The reader did not ask for commands within 10 s.")).to_be_visible()
    expect(page.get_by_text("nothing will open later")).to_be_visible()
    check_everywhere(dashboard, axe)

    page = pages[late.id]
    expect(page.get_by_text("We do not know", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="It opened")).to_be_visible()
    late.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()

    page = pages[silent.id]
    expect(page.get_by_text("did it open?")).to_be_visible()
    check_everywhere(dashboard, axe)
    page.reload()
    page.get_by_role("button", name="It did not").click()
    expect(page.get_by_text("A person said so.")).to_be_visible()
    (command,) = silent.commands()
    assert (command["state"], command["evidence"]) == ("failed", "operator")
    dashboard.check()


def test_stopping(own: Server, make_dashboard: MakeDashboard) -> None:
    """What is not sent yet can be stopped, and then nothing opens."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    press(page)
    expect(page.get_by_text("Waiting for the reader", exact=True)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("It was stopped in time.")).to_be_visible()
    assert [command["state"] for command in reader.commands()] == ["cancelled"]
    dashboard.check()


def test_stopping_too_late(own: Server, make_dashboard: MakeDashboard) -> None:
    """A stop that comes too late says so, and claims nothing."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page

    def take_first(route: Route) -> None:
        reader.poll_once()
        route.continue_()

    page.route("**/cancel", take_first)
    press(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("It was already sent.")).to_be_visible()
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()


def test_a_connection_that_is_lost(own: Server, make_dashboard: MakeDashboard) -> None:
    """Without a connection it says so, asks again with the same key, and the door opens once."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    keys: list[str | None] = []

    def drop_first(route: Route) -> None:
        keys.append(route.request.header_value("Idempotency-Key"))
        route.abort() if len(keys) == 1 else route.continue_()

    page.route("**/open", drop_first)
    reader.poll()
    press(page)
    expect(page.get_by_text("No connection", exact=True)).to_be_visible()
    expect(page.get_by_text("that cannot open it twice")).to_be_visible()
    expect(page.get_by_text("Sent to the reader", exact=True)).to_be_visible()
    reader.take()
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()
    assert len(keys) == 2
    assert keys[0] == keys[1] is not None
    assert len(reader.commands()) == 1
    page.evaluate("null")  # all that the console had to say was heard
    dashboard.faults[:] = [fault for fault in dashboard.faults if "ERR_FAILED" not in fault]


def test_a_reload_goes_on(own: Server, make_dashboard: MakeDashboard) -> None:
    """A page that is loaded again goes on with the same opening; a new tab does not."""
    reader = Reader(own, 7)
    reader.poll()
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    press(page)
    reader.take()
    expect(page.get_by_text("Sent to the reader", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Asking…")).to_be_visible()
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so")).to_be_visible()  # when it was sent may not be known any more
    assert len(reader.commands()) == 1
    tab = dashboard.new_page()
    tab.goto(f"{dashboard.origin}{reader.path}/open")
    expect(tab.get_by_role("button", name="Open Lobby reader")).to_be_visible()


def test_an_old_press_opens_nothing(own: Server, make_dashboard: MakeDashboard) -> None:
    """A press of a while ago that did not arrive is looked up, and is not sent late."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open("/")
    dashboard.page.evaluate(
        'id => sessionStorage.setItem(`pushd.open ${id}`, `{"key": "k", "trace": "t", "at": ${Date.now() - 60000}}`)',
        reader.id,
    )
    dashboard.open(f"{reader.path}/open")
    expect(dashboard.page.get_by_text("The request did not arrive.")).to_be_visible()
    assert reader.commands() == []


def test_a_model_that_is_not_known(own: Server, make_dashboard: MakeDashboard) -> None:
    """The model, which decides how it opens, is asked for once; choosing it opens nothing."""
    reader = Reader(own, 7, model=None)
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    page.get_by_label("Model").select_option("iDFlex")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Open Lobby reader")).to_be_visible()
    assert own.admin.ask(f"GET /v1/devices/{reader.id}").json["facts"]["model"] == "iDFlex"
    assert reader.commands() == []
    dashboard.check()


def test_who_may_not_open(own: Server, make_dashboard: MakeDashboard) -> None:
    """A viewer finds no way to open; who may only open has no Stop, which the server would refuse."""
    reader = Reader(own, 7)
    tokens = {}
    for name, fields in (("viewer", {"role": "viewer"}), ("opener", {"role": "operator", "endpoints": ["open"]})):
        answer = own.admin.ask("POST /v1/tokens", {"name": name, **fields})
        assert answer.code == 201, answer.body
        tokens[name] = answer.json["token"]
    viewer = make_dashboard(own, token=tokens["viewer"])
    viewer.open(f"{reader.path}/open")
    expect(viewer.page.get_by_text("This is not for your role")).to_be_visible()
    opener = make_dashboard(own, token=tokens["opener"], **PHONE)
    opener.open(f"{reader.path}/open")
    press(opener.page)
    expect(opener.page.get_by_text("Not sent yet.", exact=True)).to_be_visible()
    expect(opener.page.get_by_role("button", name="Stop")).to_have_count(0)
    reader.poll_once()
    reader.report(SUCCESS)
    expect(opener.page.get_by_text("The reader said so after")).to_be_visible()


def test_a_simulated_reader(own: Server, make_dashboard: MakeDashboard) -> None:
    """A new reader is approved with its model, on the page where it is to be opened, and then opens."""
    with running_simulator(own, "--id=controlid=3206485144263533"):
        until(lambda: own.admin.ask("GET /v1/devices/controlid:3206485144263533").code == 200, "it is recorded")
        dashboard = make_dashboard(own, **PHONE)
        dashboard.open("/devices/controlid:3206485144263533/open")
        page = dashboard.page
        page.get_by_role("button", name="Approve…").click()
        dialog = page.get_by_role("dialog", name="Approve a device")
        dialog.get_by_label("Name").fill("Lobby reader")
        dialog.get_by_label("Model").fill("iDAccess")
        dialog.get_by_role("button", name="Approve").click()
        press(page)
        expect(page.get_by_text("The reader said so after")).to_be_visible()
        dashboard.check()


def test_a_session_that_has_ended(own: Server, make_dashboard: MakeDashboard) -> None:
    """A press that was refused as the session had ended goes on after the log-in, as the same press."""
    reader = Reader(own, 7)
    dashboard = make_dashboard(own, **PHONE)
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    dashboard.context.clear_cookies()
    press(page)
    dialog = page.get_by_role("dialog", name="Log in to go on")
    dialog.get_by_label("Token").fill(own.token)
    reader.poll()
    dialog.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Sent to the reader", exact=True)).to_be_visible()
    reader.take()
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()
    assert len(reader.commands()) == 1


def test_an_event_that_is_missed(own: Server, make_dashboard: MakeDashboard) -> None:
    """What happened while the stream was begun anew is looked up, also while the call waits for its answer."""
    reader = Reader(own, 7)
    reader.poll()
    dashboard = make_dashboard(own, **PHONE)
    dashboard.context.add_init_script("delete window.SharedWorker")  # so that the page itself asks for the position
    held: list[Route] = []
    dashboard.page.route("**/v1/events?limit=1&after=now", lambda route: held.append(route))
    dashboard.open(f"{reader.path}/open")
    page = dashboard.page
    press(page)
    reader.take()
    expect(page.get_by_text("Asking…", exact=True)).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.get_by_text("Sent to the reader", exact=True)).to_be_visible()
    reader.report(SUCCESS)
    expect(page.get_by_text("The reader said so after")).to_be_visible()
