"""Checks of a page by axe-core, and of what does not fit."""

from collections.abc import Iterable
from typing import Any, Literal

from playwright.sync_api import Page, expect

from tests.dashboard.browser import Dashboard

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
RULES_OF_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}

THEMES: dict[Literal["light", "dark"], dict[str, Any]] = {"light": RULES, "dark": RULES_OF_COLOURS}

_RUN = "async (rules) => await axe.run({runOnly: rules, resultTypes: ['violations']})"

_CUT_OFF = """() => [...document.querySelectorAll("button, .btn, .chip, .pill, th, .tabs a, label, h1, h2")]
  .filter((element) => element.checkVisibility() && !element.closest(".sr, .cut"))
  .filter((element) => !element.querySelector(".sr") && element.scrollWidth > element.clientWidth + 1)
  .map((element) => element.textContent.trim())"""


def violations(page: Page, axe: str, rules: dict[str, Any] = RULES) -> list[str]:
    """What axe-core, whose source is ``axe``, finds wrong with a page."""
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(f"{axe}; null")
    found: dict[str, Any] = page.evaluate(_RUN, rules)
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found["violations"]
    ]


def cut_off(page: Page) -> list[str]:
    """The words that do not fit into what they stand in."""
    found: list[str] = page.evaluate(_CUT_OFF)
    return found


def check_everywhere(dashboard: Dashboard, axe: str, widths: Iterable[int] = (360, 1600)) -> None:
    """Check what a page shows now in both themes, which differ in nothing but colours, in windows of these widths."""
    page = dashboard.page
    for theme, rules in THEMES.items():
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            assert violations(page, axe, rules) == [], f"{theme}, {width} pixels"
            dashboard.check()
            assert cut_off(page) == [], f"{width} pixels"
