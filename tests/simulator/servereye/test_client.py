"""The requests of a Server-Eye container."""

from collections.abc import Awaitable, Callable

import pytest
from twisted.internet.defer import Deferred

from pushd.simulator.http import RequestFailed
from pushd.simulator.servereye.client import ServerEyeClient
from tests.simulator.fake_server import FakeServer

REQUESTS: list[tuple[Callable[[ServerEyeClient], Awaitable[object]], str, str, bytes]] = [
    (lambda client: client.poll(timeout=60), "GET", "/x/push/c1", b""),
    (lambda client: client.acknowledge("m1"), "POST", "/x/push/c1/ack/m1", b""),
    (lambda client: client.report("m1", b"{}"), "POST", "/x/push/c1/result/m1", b"{}"),
    (lambda client: client.sign_off(), "GET", "/x/push/c1/signoff", b""),
]


@pytest.mark.parametrize(("request_of", "method", "path", "body"), REQUESTS)
def test_request(
    server: FakeServer, request_of: Callable[[ServerEyeClient], Awaitable[object]], method: str, path: str, body: bytes
) -> None:
    """Each request has the path and body that the push service expects, and fails unless it is answered with 200."""

    async def send() -> bool:
        try:
            await request_of(
                ServerEyeClient(http=server.client("http://pushd.example/x"), container="c1", api_key="k")
            )
        except RequestFailed:
            return False
        return True

    for code, accepted in ((200, True), (503, False)):
        outcomes: list[bool] = []
        Deferred.fromCoroutine(send()).addCallback(outcomes.append)
        request = server.take(method, path)
        assert (request.args, request.body) == ({"apiKey": "k"}, body)
        request.answer(b"{}", code)
        assert outcomes == [accepted]
