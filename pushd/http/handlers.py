"""Handlers: run the coroutine of a route, from the request to its response, and map its errors.

A coroutine that waits for nothing runs to its end within the call that delivered the request. One that waits is kept
with the one Deferred that it waits for and nothing else, and is in no reference cycle once it is done.

A client that disconnects ends a wait, such as that of a held poll. Work that has begun is finished for a client that
has disconnected, too: a result that has arrived whole counts, though its device did not wait for the response.
"""

from collections.abc import Callable, Coroutine
from typing import Protocol

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from pushd.http.error_status import log_failure
from pushd.http.request import NO_BODY, Request
from pushd.http.router import Router
from pushd.lib.cancellable_waits import Wait
from pushd.model.errors import TooManyPolls, UnsupportedEncoding


class IApp(Protocol):
    """An object whose methods are routes."""

    router: Router


class IAwaited(Protocol):
    """What a coroutine may wait for: a Deferred, or an object with this method of one."""

    def addBoth(self, callback: Callable[[object], object]) -> object:
        """Call ``callback`` with the result, or with a failure."""


def serve(app: IApp, request: Request, path: str) -> None:
    """Have an app respond to a request; ``path`` is the one that its routes know, unquoted."""
    try:
        route, parameters = app.router.find(request.method, path)
        if request.body is not NO_BODY and request.has_encoded_body:
            raise UnsupportedEncoding
        coroutine = route(app, request, **parameters)
        awaited = coroutine.send(None)
    except StopIteration as end:
        _respond(request, end.value)
    except Exception:
        _respond(request, _render_error(app, request, Failure()))
    else:
        request.pending = pending = PendingResponse(app, request, coroutine)
        pending.wait(awaited)


def respond_error(app: IApp, request: Request, error: Exception) -> None:
    """Respond as the app does if one of its routes raises ``error``."""
    _respond(request, _render_error(app, request, Failure(error)))


@frozen
class DelayedResponse:
    """A response that is sent when some time has passed."""

    call: IDelayedCall
    is_waiting = True

    def cancel(self) -> None:
        """The client has disconnected: do not respond."""
        self.call.cancel()


@define(eq=False)
class PendingResponse:
    """A request whose coroutine waits for something."""

    app: IApp
    request: Request
    _coroutine: Coroutine[IAwaited, None, bytes | None] | None
    _awaited: IAwaited | None = field(default=None, init=False)

    def wait(self, awaited: IAwaited) -> None:
        """Resume the coroutine once there is a result."""
        self._awaited = awaited
        awaited.addBoth(self._resume)
        channel = self.request.channel
        if channel is None:
            self.cancel()
        elif channel.is_half_closed:
            self.request.end_wait()

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an event or for time to pass."""
        return isinstance(self._awaited, Wait)

    def cancel(self) -> None:
        """The client has disconnected: wait for nothing any more."""
        awaited: object = self._awaited
        if isinstance(awaited, Wait):
            awaited.cancel()

    def _resume(self, result: object) -> None:
        coroutine = self._coroutine
        assert coroutine is not None, "it has ended"
        self._awaited = None
        try:
            # what is awaited hands over a result itself, but a Deferred keeps a failure until its callbacks are done
            awaited = (
                result.throwExceptionIntoGenerator(coroutine) if isinstance(result, Failure) else coroutine.send(None)
            )
        except StopIteration as end:
            self._end(end.value)
        except Exception as error:
            self._end(_render_error(self.app, self.request, Failure()))
            _drop_traceback(error, result)
        else:
            self.wait(awaited)

    def _end(self, body: bytes | None) -> None:
        request, self._coroutine = self.request, None
        request.pending = None
        _respond(request, body)


def _drop_traceback(error: Exception, awaited: object) -> None:
    """Drop what an error keeps: the frames of all functions that it has ended, with a large body or its text.

    One that came from a Deferred is in a reference cycle with its traceback, which may not be collected for long.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    if isinstance(awaited, Failure):
        awaited.tb = None


def _respond(request: Request, body: bytes | None) -> None:
    """Write the response, unless the route has written it (None), or the client has disconnected."""
    if body is not None and request.channel is not None:
        request.respond(body)


def _render_error(app: IApp, request: Request, failure: Failure) -> bytes | None:
    """The body of the response to a request whose route failed; None if its wait has ended with its client."""
    if isinstance(failure.value, CancelledError) and (not request.is_open or request.channel.is_half_closed):
        return None
    if isinstance(failure.value, TooManyPolls) and request.is_open:
        request.close_after_response()  # others may need its file descriptor
    try:
        for kinds, handler in app.router.error_handlers:
            if isinstance(failure.value, kinds):
                return handler(app, request, failure)
        if app.router.render_error is not None:
            return app.router.render_error(request, failure)
    except Exception:
        failure = Failure()
    log_failure("Unhandled error while rendering an error response", request, failure)
    request.setResponseCode(500)
    return b""
