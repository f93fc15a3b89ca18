"""What must hold of all pages, in light and dark, from a phone to a wide screen, in each language."""

import json
import re

import pytest
from playwright.sync_api import Route, expect

from pushd.dashboard.assets import STATIC
from tests.dashboard.accessibility import check_everywhere, cut_off, violations
from tests.dashboard.browser import Dashboard
from tests.dashboard.conftest import MakeDashboard
from tests.dashboard.fleet import Fleet
from tests.dashboard.pages import PAGES

pytestmark = [pytest.mark.slow(seconds=20), pytest.mark.timeout(300)]

WIDTHS = (320, 800, 1000, 1600)
"""Pixels: one of each layout."""


def resize(dashboard: Dashboard, width: int) -> None:
    """Change the width of the window."""
    dashboard.page.set_viewport_size({"width": width, "height": 900})


@pytest.mark.parametrize("path", PAGES)
def test_a_page(fleet: Fleet, make_dashboard: MakeDashboard, axe: str, path: str) -> None:
    """A page is accessible, and fits into the window, in both themes at all widths."""
    dashboard = make_dashboard(fleet.server)
    dashboard.open(path.format_map(_Attributes(fleet)))
    check_everywhere(dashboard, axe, WIDTHS)
    expect(dashboard.page.locator("h1")).to_have_count(1)
    assert dashboard.page.title().endswith(" · pushd")


@pytest.mark.parametrize("language", ["de", "pt-BR"])
def test_other_languages_on_a_small_screen(fleet: Fleet, make_dashboard: MakeDashboard, language: str) -> None:
    """No word is cut off, and no page is wider than the window, at 320 pixels in the longer languages."""
    dashboard = make_dashboard(fleet.server)
    dashboard.open("/")
    dashboard.page.evaluate("language => localStorage.setItem('pushd.language', language)", language)
    resize(dashboard, 320)
    for path in PAGES:
        dashboard.open(path.format_map(_Attributes(fleet)))
        expect(dashboard.page.locator("html")).to_have_attribute("lang", language)
        dashboard.check()
        assert cut_off(dashboard.page) == [], path


def longer(text: str) -> str:
    """A text that is 40 % longer, with what stands in braces unchanged; its words stay as long as words are."""
    holes = sum(map(len, re.findall(r"\{\w+\}", text)))
    return text + wrap("~" * round(0.4 * (len(text) - holes)))


def wrap(padding: str) -> str:
    """Padding in pieces of eight characters, the first of them a part of the last word."""
    return " ".join(padding[start : start + 8] for start in range(0, len(padding), 8))


def test_words_that_are_longer(fleet: Fleet, make_dashboard: MakeDashboard) -> None:
    """No word is cut off in a language whose words are 40 % longer, at 320 pixels."""
    source = (STATIC / "messages" / "pt-BR.js").read_text("utf-8")
    lengthened = re.sub(
        r'(: )("(?:[^"\\\\]|\\\\.)*")', lambda found: found[1] + json.dumps(longer(json.loads(found[2]))), source
    )

    def answer(route: Route) -> None:
        route.fulfill(body=lengthened, content_type="text/javascript")

    dashboard = make_dashboard(fleet.server)
    dashboard.page.route("**/messages/pt-BR.js", answer)
    dashboard.open("/")
    dashboard.page.evaluate("localStorage.setItem('pushd.language', 'pt-BR')")
    resize(dashboard, 320)
    for path in PAGES:
        dashboard.open(path.format_map(_Attributes(fleet)))
        expect(dashboard.page.locator(".tabs")).to_contain_text("~")
        dashboard.check()
        assert cut_off(dashboard.page) == [], path


def test_the_log_in_page(fleet: Fleet, make_dashboard: MakeDashboard, axe: str) -> None:
    """The log-in page is accessible, and fits, in both themes at all widths."""
    dashboard = make_dashboard(fleet.server, log_in=False)
    dashboard.open("/login")
    check_everywhere(dashboard, axe, WIDTHS)


def test_faults_are_found(fleet: Fleet, make_dashboard: MakeDashboard, axe: str) -> None:
    """The checks of all pages find what they are for."""
    dashboard = make_dashboard(fleet.server, log_in=False)
    dashboard.open("/login")
    dashboard.page.evaluate(
        """() => {
          const image = document.body.appendChild(document.createElement("img"));
          const button = document.body.appendChild(document.createElement("button"));
          const wide = document.body.appendChild(document.createElement("div"));
          button.textContent = "much too long for so small a button";
          Object.assign(button.style, {width: "40px", overflow: "hidden", whiteSpace: "nowrap"});
          wide.style.width = "5000px";
          wide.textContent = "x";
          fetch("http://127.0.0.1:1/elsewhere").catch(() => {});
        }"""
    )
    assert any(each.startswith("image-alt") for each in violations(dashboard.page, axe))
    assert cut_off(dashboard.page) == ["much too long for so small a button"]
    with pytest.raises(AssertionError, match="securitypolicyviolation"):
        dashboard.check()
    dashboard.faults.clear()
    with pytest.raises(AssertionError, match="pixels wide"):
        dashboard.check()
    dashboard.faults.clear()


class _Attributes(dict[str, str]):
    """The attributes of a fleet, for ``str.format_map``."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def __missing__(self, name: str) -> str:
        return str(getattr(self.fleet, name))
