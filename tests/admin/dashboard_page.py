"""A page of the dashboard, as far as the server sees it: a browser with a cookie, and a CSRF token."""

from attrs import frozen

from tests.connection import Connection, Response
from tests.in_memory_server import InMemoryServer

OWN = "Origin: http://pushd.example"
"""The origin of pages of the server that tests call."""
FOREIGN = "Origin: https://evil.example"
FIREFOX = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@frozen
class Page:
    """A page of the dashboard after a log-in: the browser sends its cookie, the page the CSRF token."""

    server: InMemoryServer
    cookie: str
    csrf: str

    def begin(self, line: str, body: object = None, *headers: str) -> Connection:
        """Send a request as the page does."""
        return self.server.begin_as(f"Cookie: theme=dark; {self.cookie}", line, body, OWN, *headers)

    def read(self, line: str) -> Response:
        """The answer to a request that changes nothing."""
        return self.begin(line).answer()

    def change(self, line: str, body: object = None) -> Response:
        """The answer to a change."""
        return self.begin(line, body, f"X-CSRF-Token: {self.csrf}").answer()


def log_in(server: InMemoryServer, secret: str, *headers: str) -> Page:
    """The page that is open after a log-in."""
    return opened(server, server.begin_as(OWN, "POST /v1/session", {"token": secret}, FIREFOX, *headers).answer())


def opened(server: InMemoryServer, answer: Response) -> Page:
    """The page that a log-in opens."""
    assert answer.code == 201, answer.body
    return Page(server, answer.headers["set-cookie"].partition(";")[0], answer.json["csrf"])


def has_ended(stream: Connection) -> bool:
    """Whether an event stream has ended."""
    sent: bytes = stream.transport.value()
    return sent.endswith(b"0\r\n\r\n")
