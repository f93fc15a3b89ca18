"""The dashboard in the system's Chromium; what no page may do fails a test."""

from urllib.parse import urlsplit

from attrs import define, field
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.integration.calls import TIMEOUT

WATCH = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`securitypolicyviolation: ${event.violatedDirective} ${event.blockedURI}`));
"""

STATUS = "Failed to load resource: the server responded with a status of 4"
"""The console's own line for an answer of the API; whether the page deals with it, its tests say."""


MEASURE = """() => {
  const {scrollWidth, clientWidth} = document.documentElement;
  const isBeside = (element) =>
    element.getBoundingClientRect().left + Math.max(element.scrollWidth, element.offsetWidth ?? 0) > clientWidth + 1;
  const beside = [...document.querySelectorAll("body *")].filter(isBeside);
  const innermost = beside.filter((element) => ![...element.children].some(isBeside));
  return [scrollWidth, clientWidth, innermost.slice(0, 3).map((element) => element.outerHTML.slice(0, 120))];
}"""
"""The width of the page and of the window, and what is beside the window."""


@define(eq=False)
class Dashboard:
    """A page, and what it did wrong."""

    context: BrowserContext
    origin: str
    page: Page = field(init=False)
    faults: list[str] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self.context.add_init_script(WATCH)
        self.page = self.new_page()

    def new_page(self) -> Page:
        """One more tab."""
        page = self.context.new_page()
        page.set_default_timeout(TIMEOUT * 1000)
        expect.set_options(timeout=TIMEOUT * 1000)
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error.stack}"))
        page.on("request", lambda request: self._asked(request))
        return page

    def log_in(self, token: str) -> None:
        """Log in with a token, by the form."""
        self.page.goto(f"{self.origin}/login")
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("navigation").first).to_be_attached()

    def have_session(self, token: str) -> None:
        """Log in with a token, without a page."""
        answer = self.context.request.post(f"{self.origin}/v1/session", data={"token": token}, timeout=TIMEOUT * 1000)
        assert answer.status == 201, answer.text()

    def open(self, path: str) -> None:
        """Go to a page, and wait until it has read what it shows."""
        self.page.goto(f"{self.origin}{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the page has read what it shows."""
        expect(self.page.locator("h1")).to_be_visible()
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def check(self) -> None:
        """Check that the page did nothing wrong, and that nothing of it is beside the window."""
        assert not self.faults, "\n".join(self.faults)
        width, window, widest = self.page.evaluate(MEASURE)
        assert width <= window, f"{self.page.url} is {width} pixels wide in a window of {window}: {widest}"

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(STATUS):
            self.faults.append(f"{kind}: {text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(f"{self.origin}/") and urlsplit(request.url).scheme not in ("data", "blob"):
            self.faults.append(f"a request to {request.url}")
