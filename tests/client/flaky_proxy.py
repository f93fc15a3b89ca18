"""A reverse proxy that loses requests and answers when a test says so."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from attrs import define, field

from tests.integration.calls import HOST, TIMEOUT


class Loss(StrEnum):
    """What is lost of a request."""

    NOTHING = "nothing"
    REQUEST = "request"  # the connection is closed, and the server sees nothing
    ANSWER = "answer"  # the server has answered, and the connection is closed
    SERVER = "server"  # the proxy answers 502, as if the server were restarting
    STORE = "store"  # the answer is 503, as if the server could not write


@define(eq=False)
class FlakyProxy:
    """Passes requests on; of each one what is next in ``losses`` is lost, and nothing if there is no next."""

    host: str
    port: int
    losses: deque[Loss] = field(factory=deque, init=False)
    passed: list[str] = field(factory=list, init=False)
    """The method and path of each request that the server has received."""
    _http: ThreadingHTTPServer = field(init=False)

    def __attrs_post_init__(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.serve(self)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class names them

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                pass

        self._http = ThreadingHTTPServer((HOST, 0), Handler)
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """The URL of the proxy."""
        return f"http://{HOST}:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the block ends."""
        thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self._http.shutdown()
            thread.join()
            self._http.server_close()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Pass a request on, and its answer back, unless it is to be lost."""
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        loss = self.losses.popleft() if self.losses else Loss.NOTHING
        if loss is Loss.REQUEST:
            request.close_connection = True
        elif loss is Loss.SERVER:
            self._answer(request, 502, "text/html", b"<h1>Bad gateway</h1>")
        elif loss is Loss.STORE:
            self._answer(request, 503, "application/problem+json", b'{"type": "unavailable", "detail": "Disk full."}')
        else:
            try:
                answer = self._pass_on(request, body)
            except (OSError, HTTPException):  # the server has ended
                loss = Loss.ANSWER
            if loss is Loss.ANSWER:
                request.close_connection = True
            else:
                self._answer(request, *answer)

    def _pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str, bytes]:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        with closing(HTTPConnection(self.host, self.port, timeout=TIMEOUT)) as upstream:
            upstream.request(request.command, request.path, body or None, headers)
            answer = upstream.getresponse()
            content = answer.read()
        self.passed.append(f"{request.command} {request.path}")
        return answer.status, answer.headers.get("Content-Type", ""), content

    def _answer(self, request: BaseHTTPRequestHandler, status: int, kind: str, content: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
