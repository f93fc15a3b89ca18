"""Answering: a route's coroutine, from the request to its last byte.

A coroutine that needs to wait for nothing runs to its end within the call that brought the request; one that waits is
parked as itself and the one Deferred that it waits for, with nothing behind it, and is in no cycle once it is done.
"""

from collections.abc import Callable, Coroutine
from typing import Protocol

from attrs import define, field
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure

from pushd.http.request import Request
from pushd.http.router import Router

_log = Logger()


class IApp(Protocol):
    """What has routes."""

    router: Router


class IAwaited(Protocol):
    """What a coroutine may wait for: a Deferred, or less, as long as it can be told of its end, and cancelled."""

    def addBoth(self, told: Callable[[object], object]) -> object:
        """Call ``told`` once it is over, with a failure if it failed."""

    def cancel(self) -> None:
        """Nobody waits any more."""


def serve(app: IApp, request: Request, path: bytes) -> None:
    """Let an app answer a request for a path."""
    try:
        route, parts = app.router.find(request.method, path)
        steps = route(app, request, **parts)
        waiting = steps.send(None)
    except StopIteration as end:
        _answer(request, end.value)
    except Exception:
        _answer(request, _rescued(app, request, Failure()))
    else:
        request.answering = answering = Answering(app, request, steps)
        answering.wait(waiting)


@define(eq=False)
class Answering:
    """A request whose route waits for something."""

    app: IApp
    request: Request
    _steps: Coroutine[IAwaited, None, bytes | None] | None
    _waiting: IAwaited | None = field(default=None, init=False)

    def wait(self, waiting: IAwaited) -> None:
        """Go on when that is over."""
        self._waiting = waiting
        waiting.addBoth(self._go_on)

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if self._waiting is not None:
            self._waiting.cancel()

    def _go_on(self, result: object) -> None:
        steps = self._steps
        assert steps is not None, "it has ended"
        self._waiting = None
        try:
            # what it awaits has the result, but a Deferred keeps a failure to itself until its callbacks are done
            waiting = result.throwExceptionIntoGenerator(steps) if isinstance(result, Failure) else steps.send(None)
        except StopIteration as end:
            self._end(end.value)
        except Exception:
            self._end(_rescued(self.app, self.request, Failure()))
        else:
            self.wait(waiting)

    def _end(self, body: bytes | None) -> None:
        request, self._steps = self.request, None
        request.answering = None
        _answer(request, body)


def _answer(request: Request, body: bytes | None) -> None:
    """Write the answer, if it is not written yet and somebody waits for it."""
    if body is not None and request.channel is not None:
        request.answer(body)


def _rescued(app: IApp, request: Request, failure: Failure) -> bytes | None:
    """What to answer when a route failed; nothing, where nobody waits for it."""
    if not request.is_open:
        if not isinstance(failure.value, CancelledError):
            _log.failure("A request failed after its client had disconnected", failure)
        return None
    try:
        for kinds, rescue in app.router.rescues:
            if isinstance(failure.value, kinds):
                return rescue(app, request, failure)
        if app.router.render_error is not None:
            return app.router.render_error(request, failure)
    except Exception:
        failure = Failure()
    _log.failure("Unhandled error while rendering an error response", failure)
    request.setResponseCode(500)
    return b""
