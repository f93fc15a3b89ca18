"""Tests of the frame around all pages: search, keys, navigation, language, theme, the stream."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.accessibility import cut_off, violations
from tests.dashboard.browser import Dashboard
from tests.dashboard.conftest import MakeDashboard
from tests.dashboard.fleet import Fleet

pytestmark = pytest.mark.slow(seconds=15)

PHONE = {"width": 360, "height": 740}


def search(page: Page, text: str) -> None:
    """Type into the search."""
    page.get_by_role("combobox", name="Search").press_sequentially(text)


def hits(page: Page) -> Locator:
    """What the search has found."""
    return page.get_by_role("listbox", name="Results").get_by_role("option")


def test_search_finds_devices_commands_pages_and_acts(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """One field finds everything; arrows and Enter go there, and an act leads to where it is done and does nothing."""
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    dashboard.open("/")
    options = hits(page)
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search")).to_be_focused()
    search(page, "lobby")
    expect(options).to_have_text(["Lobby reader0G020?/005B6D", "Open Lobby reader"])
    before = len(fleet.server.admin.ask("GET /v1/commands?limit=500").json["items"])
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{dashboard.origin}/devices/controlid%3A3206485144263533/open")
    assert len(fleet.server.admin.ask("GET /v1/commands?limit=500").json["items"]) == before
    search(page, "REFRESH")
    expect(options).to_contain_text(["REFRESH_AGENT"])
    page.get_by_role("combobox", name="Search").fill("audi")
    expect(options).to_have_text(["Audit"])
    page.get_by_role("combobox", name="Search").fill("no such thing")
    expect(page.get_by_text("Nothing found for “no such thing”")).to_be_visible()
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    dashboard.check()


def test_a_hostile_name_is_text(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """A name that is markup is shown as it is, and becomes no element."""
    dashboard = make_dashboard(fleet.server)
    dashboard.open("/")
    search(dashboard.page, "onerror")
    expect(hits(dashboard.page).first).to_contain_text("<img src=x onerror=alert(1)>")
    expect(dashboard.page.locator("img")).to_have_count(0)
    dashboard.check()


def test_keys(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """Keys go to pages and through rows; they are off in fields, and can be switched off."""
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    dashboard.open("/")
    page.keyboard.type("gd")
    expect(page.get_by_role("heading", level=1, name="Devices")).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("gc")
    expect(page.get_by_role("combobox", name="Search")).to_have_value("gc")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_label("Single keys act").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.type("gc")
    page.reload()
    dashboard.settle()
    page.keyboard.type("gc")
    expect(page).to_have_url(f"{dashboard.origin}/devices")


def test_going_through_pages(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """Links change the page without loading it anew; the title comes first, then the focus goes to the heading; the
    way back works.
    """
    dashboard = make_dashboard(fleet.server)
    page = dashboard.page
    dashboard.open("/")
    page.evaluate("window.isSame = true")
    menu = page.get_by_role("navigation", name="Main")
    menu.get_by_role("link", name="Commands").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page).to_have_title("(5) Commands · pushd")
    expect(menu.get_by_role("link", name="Commands")).to_have_attribute("aria-current", "page")
    menu.get_by_role("link", name="Alerts").click()
    expect(page).to_have_url(f"{dashboard.origin}/alerts")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Commands")
    assert page.evaluate("window.isSame")
    dashboard.open("/no/such/page")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such page")


def test_language_and_theme_are_kept(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """The language and the theme change at once, and are those of the next visit; the browser's are the first."""
    dashboard = make_dashboard(fleet.server, log_in=False, locale="de-AT", color_scheme="dark")
    page = dashboard.page
    dashboard.open("/login")
    expect(page.get_by_role("button", name="Anmelden")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("Sprache").select_option("English")
    dashboard.log_in(fleet.server.token)
    page.get_by_role("button", name="Light or dark").click()
    page.locator(".side-foot").get_by_label("Language").select_option("Português (Brasil)")
    expect(page.get_by_role("navigation", name="Principal")).to_contain_text("Equipamentos")
    page.reload()
    expect(page.get_by_role("navigation", name="Principal")).to_contain_text("Equipamentos")
    expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_dialogs_are_accessible(fleet: Fleet, make_dashboard: MakeDashboard, axe: str) -> None:
    """What opens above a page is accessible and fits, on a phone and on a wide screen, in both themes; Escape closes
    it, and the focus goes back.
    """
    dashboard = make_dashboard(fleet.server)
    dashboard.open("/")
    page = dashboard.page
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.set_viewport_size({"width": 1600, "height": 900})
        _check_dialog(dashboard, axe, "Approve…")
        _check_dialog(dashboard, axe, "Mute…")
        page.locator("body").press("?")
        _check_open(dashboard, axe)
        search(page, "lobby")
        expect(hits(page)).to_have_count(2)
        assert violations(page, axe) == []
        page.keyboard.press("Escape")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        _check_dialog(dashboard, axe, "Approve…")
        _check_dialog(dashboard, axe, "More")


def _check_dialog(dashboard: Dashboard, axe: str, button: str) -> None:
    opener = dashboard.page.get_by_role("button", name=button).first
    opener.click()
    _check_open(dashboard, axe)
    expect(opener).to_be_focused()


def _check_open(dashboard: Dashboard, axe: str) -> None:
    page = dashboard.page
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page, axe) == []
    assert cut_off(page) == []
    dashboard.check()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_more_leads_to_the_other_pages(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """On a phone, the pages without a tab, the language and the log-out stand behind More, which closes then."""
    dashboard = make_dashboard(fleet.server, viewport=PHONE)
    page = dashboard.page
    dashboard.open("/")
    page.get_by_role("button", name="More").click()
    dialog = page.get_by_role("dialog", name="More")
    expect(dialog.get_by_role("button", name="Log out")).to_be_visible()
    dialog.get_by_role("link", name="Alerts").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alerts")
    expect(dialog).to_have_count(0)
    dashboard.check()


def test_all_tabs_share_one_stream(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """Two tabs are live over one stream, and the second stays so when the first is closed."""
    dashboard = make_dashboard(fleet.server)
    dashboard.open("/alerts")
    other = dashboard.new_page()
    other.goto(f"{dashboard.origin}/alerts")
    for page in (dashboard.page, other):
        expect(page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    dashboard.page.close()
    expect(other.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()


def test_a_browser_without_shared_workers(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """A tab reads the stream itself where there are no shared workers."""
    dashboard = make_dashboard(fleet.server, log_in=False)
    dashboard.context.add_init_script("delete window.SharedWorker")
    dashboard.log_in(fleet.server.token)
    dashboard.open("/alerts")
    expect(dashboard.page.locator(".side-foot").get_by_text("Live", exact=True)).to_be_visible()
    dashboard.check()
