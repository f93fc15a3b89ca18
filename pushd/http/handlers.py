"""Handlers: call the route of a request, and respond with what it returns.

A route that needs not wait is a function from the request to the body of its response. One that waits for work, such
as a commit, is a coroutine, kept with the one Deferred that it waits for and nothing else. One that waits for an event
may return the object that waits, such as a held poll. None of these is in a reference cycle once it is done.

A client that disconnects ends a wait, such as that of a held poll. Work that has begun is finished for a client that
has disconnected, too: a result that has arrived whole counts, though its device did not wait for the response.
"""

from collections.abc import Callable, Coroutine
from typing import Protocol

from attrs import define, field, frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from pushd.http.request import NO_BODY, Request
from pushd.http.router import IApp
from pushd.lib.cancellable_waits import PendingAnswer, Wait
from pushd.model.errors import UnsupportedEncoding


class IAwaited(Protocol):
    """What a coroutine may wait for: a Deferred, or an object with this method of one."""

    def addBoth(self, callback: Callable[[object], object]) -> object:
        """Call ``callback`` with the result, or with a failure."""


def serve(app: IApp, request: Request, path: str) -> None:
    """Have an app respond to a request; ``path`` is the one that its routes know, unquoted."""
    request.app = app
    try:
        route, parameters = app.router.find(request.method, path)
        if b"Content-Encoding" in request.requestHeaders and request.body is not NO_BODY and request.has_encoded_body:
            raise UnsupportedEncoding
        answer = route(app, request, **parameters)
    except Exception:
        request.respond_to_failure(Failure())
        return
    if isinstance(answer, bytes):
        request.respond(answer)
    elif isinstance(answer, PendingAnswer):
        answer.respond_to(request)
    else:
        PendingResponse(request, answer).run()


def respond_error(app: IApp, request: Request, error: Exception) -> None:
    """Respond as the app does if one of its routes raises ``error``."""
    request.app = app
    request.respond_to_failure(Failure(error))


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

    request: Request
    _coroutine: Coroutine[IAwaited, None, bytes | PendingAnswer | None] | None
    _awaited: IAwaited | None = field(default=None, init=False)

    def run(self, result: object = None) -> None:
        """Run the coroutine until it waits or ends; ``result`` is of what it has waited for."""
        coroutine = self._coroutine
        assert coroutine is not None, "it has ended"
        self._awaited = None
        try:
            # what is awaited hands over a result itself, but a Deferred keeps a failure until its callbacks are done
            awaited = (
                result.throwExceptionIntoGenerator(coroutine) if isinstance(result, Failure) else coroutine.send(None)
            )
        except StopIteration as end:
            self._coroutine = self.request.pending = None
            self._end(end.value)
        except Exception as error:
            self._coroutine = self.request.pending = None
            self.request.respond_to_failure(Failure())
            _drop_traceback(error, result)
        else:
            self._awaited = awaited
            awaited.addBoth(self.run)
            if self._awaited is awaited:
                self.request.wait_for(self)

    def _end(self, answer: bytes | PendingAnswer | None) -> None:
        if isinstance(answer, PendingAnswer):
            answer.respond_to(self.request)
        elif answer is not None and self.request.channel is not None:
            self.request.respond(answer)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an event or for time to pass."""
        return isinstance(self._awaited, Wait)

    def cancel(self) -> None:
        """The client has disconnected: wait for nothing any more."""
        awaited: object = self._awaited
        if isinstance(awaited, Wait):
            awaited.cancel()


def _drop_traceback(error: Exception, awaited: object) -> None:
    """Drop what an error keeps: the frames of all functions that it has ended, with a large body or its text.

    One that came from a Deferred is in a reference cycle with its traceback, which may not be collected for long.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    if isinstance(awaited, Failure):
        awaited.tb = None
