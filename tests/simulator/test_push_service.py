"""The calls of the Server-Eye push service."""

from collections.abc import Awaitable, Callable

import pytest
from twisted.internet.defer import Deferred

from pushd.simulator.http import NoAnswer
from pushd.simulator.servereye.push_service import PushService
from tests.simulator.counterpart import Counterpart

CALLS: list[tuple[Callable[[PushService], Awaitable[object]], str, str, bytes]] = [
    (lambda service: service.poll(patience=60), "GET", "/x/push/c1", b""),
    (lambda service: service.acknowledge("m1"), "POST", "/x/push/c1/ack/m1", b""),
    (lambda service: service.report("m1", b"{}"), "POST", "/x/push/c1/result/m1", b"{}"),
    (lambda service: service.sign_off(), "GET", "/x/push/c1/signoff", b""),
]


@pytest.mark.parametrize(("call", "method", "path", "body"), CALLS)
def test_call(
    server: Counterpart, call: Callable[[PushService], Awaitable[object]], method: str, path: str, body: bytes
) -> None:
    """Each call asks what the service expects, and fails unless it is answered with 200."""

    async def ask() -> bool:
        try:
            await call(PushService(line=server.line("http://pushd.example/x"), container="c1", api_key="k"))
        except NoAnswer:
            return False
        return True

    for code, taken in ((200, True), (503, False)):
        answers: list[bool] = []
        Deferred.fromCoroutine(ask()).addCallback(answers.append)
        asked = server.take(method, path)
        assert (asked.args, asked.body) == ({"apiKey": "k"}, body)
        asked.answer(b"{}", code)
        assert answers == [taken]
