"""The router: routes are declared on Klein, and looked up in tables that hold the same.

Klein's own dispatch (binding the URL map, chaining Deferreds) costs more than a response, so each request skips it.
The tables hold only what Klein's URL map holds; a request that is not in them goes to that map, which raises the right
error: no such path, or method not allowed.
"""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from klein import Klein
from twisted.python.failure import Failure

from pushd.http.error_status import log_failure
from pushd.lib.cancellable_waits import PendingAnswer

F = TypeVar("F", bound=Callable[..., Any])


Route = Callable[..., bytes | PendingAnswer | Coroutine[Any, None, bytes | PendingAnswer | None]]
"""Takes an app, a request and the parameters of the path.

Returns the body of the response, or what waits for it. A coroutine returns that later, or None if it was streamed.
"""

ErrorHandler = Callable[[Any, Any, Failure], bytes]
"""Takes an app, a request and a failure; returns the body of the error response."""

_NO_METHOD = "-"

_PARAMETER = re.compile(r"<((?:path:)?\w+)>")
"""A parameter of a path; that of ``<path:name>`` also matches slashes, and is looked up last."""


class IApp(Protocol):
    """An object whose methods are routes."""

    router: "Router"


class Router:
    """The routes of an app, declared on its class; a route for ``GET`` answers ``HEAD`` only if it says so.

    ``render_error`` renders the failures for which :meth:`handle_errors` declares no handler.
    """

    def __init__(self, render_error: Callable[[Any, Failure], bytes] | None = None) -> None:
        self._klein = Klein()
        self.url_map = self._klein.url_map
        self.url_map.merge_slashes = False  # werkzeug would redirect, and devices follow no redirects
        self._render_error = render_error
        self.declared: list[tuple[str, Sequence[str], Route]] = []
        """Path, methods and function of each route, in the order of their declaration."""
        self._error_handlers: list[tuple[tuple[type[BaseException], ...], ErrorHandler]] = []
        """The first handler that fits a failure is called."""
        self._fixed: dict[str, dict[bytes, Route]] = {}
        """By path and method: the routes of paths without parameters."""
        self._patterns: dict[int, list[tuple[re.Pattern[str], dict[bytes, Route]]]] = {}
        """Routes of paths with parameters, by the number of slashes; a parameter contains none."""
        self._of_any_depth: list[tuple[re.Pattern[str], dict[bytes, Route]]] = []
        """Routes whose last parameter may contain slashes."""

    def route(self, path: str, *, methods: Sequence[str]) -> Callable[[F], F]:
        """Declare a route, as :meth:`klein.Klein.route` does."""
        declare = self._klein.route(path, methods=methods)

        def declared(function: F) -> F:
            declare(function)
            for rule in self.url_map.iter_rules(function.__name__):
                # werkzeug adds HEAD to GET, but a HEAD of a poll would take a command that no device receives
                if "HEAD" not in methods:
                    (rule.methods or set()).discard("HEAD")
            self.declared.append((path, methods, function))
            self._add(path, {method.encode("ascii"): function for method in methods})
            return function

        return declared

    def handle_errors(self, *kinds: Any) -> Callable[[F], F]:
        """Declare what renders failures of these kinds, as :meth:`klein.Klein.handle_errors` does."""

        def declared(function: F) -> F:
            self._error_handlers.append((kinds, function))
            return function

        return declared

    def find(self, method: bytes, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route for a request, and the parameters of its :func:`unquoted` path.

        :raises werkzeug.exceptions.NotFound: or :exc:`~werkzeug.exceptions.MethodNotAllowed`, if there is none.
        """
        methods = self._fixed.get(path)
        if methods is not None and method in methods:
            return methods[method], {}
        for pattern, methods in (*self._patterns.get(path.count("/"), ()), *self._of_any_depth):
            if method in methods and (match := pattern.fullmatch(path)) is not None:
                return methods[method], match.groupdict()
        if path.startswith("//"):
            return self.find(method, "/" + path.lstrip("/"))  # as the URL map does
        # werkzeug ignores case in methods, which HTTP does not: ask for one that no route has
        self.url_map.bind("localhost").match(path, _NO_METHOD)
        raise AssertionError("the URL map raises an error for a request that is not in the tables")

    def render_failure(self, app: IApp, request: Any, failure: Failure) -> bytes:
        """The body of the response to a request whose route failed."""
        try:
            for kinds, handler in self._error_handlers:
                if isinstance(failure.value, kinds):
                    return handler(app, request, failure)
            if self._render_error is not None:
                return self._render_error(request, failure)
        except Exception:
            failure = Failure()
        log_failure("Unhandled error while rendering an error response", request, failure)
        request.setResponseCode(500)
        return b""

    def _add(self, path: str, methods: dict[bytes, Route]) -> None:
        """Add routes to the tables; a parameter matches one non-empty segment, as in werkzeug."""
        if "<" not in path:
            self._fixed.setdefault(path, {}).update(methods)
            return
        parts = _PARAMETER.split(path)
        pattern = re.compile("".join(_group(part) if n % 2 else re.escape(part) for n, part in enumerate(parts)))
        same = self._of_any_depth if "<path:" in path else self._patterns.setdefault(path.count("/"), [])
        same.append((pattern, methods))


def _group(parameter: str) -> str:
    """The pattern of a parameter."""
    if parameter.startswith("path:"):
        return f"(?P<{parameter.removeprefix('path:')}>[^/].*)"
    return f"(?P<{parameter}>[^/]+)"


def unquoted(path: bytes) -> str:
    """A path as text, with percent-encoding decoded but for ``%2F``: that slash separates no segments."""
    if b"%" not in path:
        return path.decode("utf-8", "replace")
    segments = (unquote_to_bytes(segment).decode("utf-8", "replace") for segment in path.split(b"/"))
    return "/".join(segment.replace("/", "%2F") for segment in segments)
