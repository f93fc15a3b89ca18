"""``python -m tests.dashboard.screenshots DIRECTORY``: a picture of each page, to be looked at.

On a phone and on a wide screen, in light and dark in English, and on a phone in each other language.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.dashboard.browser import Dashboard
from tests.dashboard.fleet import OPTIONS, Fleet
from tests.dashboard.pages import PAGES
from tests.integration.calls import HOST
from tests.integration.server import Server

WIDTHS = {360: 740, 1600: 1000}
"""Pixels, with the height of the window."""

LOOKS = [("en", theme, width) for theme in ("light", "dark") for width in WIDTHS] + [
    (language, "light", 360) for language in ("pt-BR", "de")
]


def take(browser: Browser, fleet: Fleet, directory: Path, look: tuple[str, str, int]) -> None:
    """Take a picture of each page with one look."""
    language, theme, width = look
    context = browser.new_context(viewport={"width": width, "height": WIDTHS[width]}, color_scheme=theme)  # type: ignore[arg-type]
    dashboard = Dashboard(context, f"http://{HOST}:{fleet.server.admin.number}")
    dashboard.log_in(fleet.server.token)
    dashboard.page.evaluate("language => localStorage.setItem('pushd.language', language)", language)
    for path in PAGES:
        dashboard.open(path.format_map(_named(fleet)))
        name = path.strip("/").replace("/", "-").replace("{", "").replace("}", "") or "now"
        dashboard.page.screenshot(path=directory / f"{name}.{language}.{theme}.{width}.png")
    context.close()


def _named(fleet: Fleet) -> dict[str, str]:
    """What a fleet has that paths name."""
    return {name: value for name in dir(fleet) if isinstance(value := getattr(fleet, name), str)}


def main(directory: Path) -> None:
    """Take all pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        server = Server(Path(data), OPTIONS)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            fleet = Fleet(server.start())
            fleet.fill()
            for look in LOOKS:
                take(browser, fleet, directory, look)
        finally:
            browser.close()
            server.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
