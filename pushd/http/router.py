"""The router: routes are declared on Klein, and looked up in tables made from its URL map.

Klein's own dispatch (binding the URL map, chaining Deferreds) costs more than a response, so each request skips it.
The tables hold only what Klein's URL map holds; a request that is not in them goes to that map, which raises the right
error: no such path, or method not allowed.
"""

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from attrs import define, field
from klein import Klein
from twisted.python.failure import Failure

F = TypeVar("F", bound=Callable[..., Any])

Route = Callable[..., Coroutine[Any, None, bytes | None]]
"""Takes an app, a request and the parameters of the path; returns the body, or None if it was streamed."""

ErrorHandler = Callable[[Any, Any, Failure], bytes]
"""Takes an app, a request and a failure; returns the body of the error response."""

_NO_METHOD = "-"

_PARAMETER = re.compile(r"<(\w+)>")


@define(eq=False)
class _Table:
    """Routes by path and method."""

    fixed: dict[str, dict[bytes, Route]] = field(factory=dict)
    """Routes of paths without parameters."""
    patterns: dict[int, list[tuple[re.Pattern[str], dict[bytes, Route]]]] = field(factory=dict)
    """Routes of paths with parameters, by the number of slashes; a parameter contains none."""

    def add(self, path: str, methods: Mapping[bytes, Route]) -> None:
        """Add the routes of a path; a parameter matches one non-empty segment, as in werkzeug."""
        if "<" not in path:
            self.fixed.setdefault(path, {}).update(methods)
            return
        parts = _PARAMETER.split(path)
        text = "".join(f"(?P<{part}>[^/]+)" if n % 2 else re.escape(part) for n, part in enumerate(parts))
        self.patterns.setdefault(path.count("/"), []).append((re.compile(text), dict(methods)))

    def find(self, method: bytes, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route for a request, and the parameters of its path."""
        methods = self.fixed.get(path)
        if methods is not None and method in methods:
            return methods[method], {}
        for pattern, methods in self.patterns.get(path.count("/"), ()):
            if method in methods and (match := pattern.fullmatch(path)) is not None:
                return methods[method], match.groupdict()
        return None


class Router(Klein):
    """The routes of an app, declared on its class; a route for ``GET`` answers ``HEAD`` only if it says so.

    ``render_error`` renders the failures for which :meth:`handle_errors` declares no handler.
    """

    def __init__(self, render_error: Callable[[Any, Failure], bytes] | None = None) -> None:
        super().__init__()
        self.url_map.merge_slashes = False  # werkzeug would redirect, and devices follow no redirects
        self.render_error = render_error
        self.error_handlers: list[tuple[tuple[type[BaseException], ...], ErrorHandler]] = []
        """The first handler that fits a failure is called."""
        self._routes: dict[str, Route] = {}
        self._table: _Table | None = None

    def __get__(self, _app: object, _kind: object) -> "Router":
        """Return the router itself: Klein would copy it for each instance of an app."""
        return self

    def route(self, url: str, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        """Declare a route, as :meth:`klein.Klein.route` does; for GET only, unless ``methods`` are given."""
        declare = super().route(url, *args, **kwargs)

        def declared(function: F) -> F:
            declare(function)
            self._routes[function.__name__] = function
            for rule in self.url_map.iter_rules(function.__name__):
                # werkzeug adds HEAD to GET, but a HEAD of a poll would take a command that no device receives
                if "HEAD" not in kwargs.get("methods", ()):
                    (rule.methods or set()).discard("HEAD")
            return function

        return declared

    def handle_errors(self, *kinds: Any) -> Callable[[F], F]:
        """Declare what renders failures of these kinds, as :meth:`klein.Klein.handle_errors` does."""

        def declared(function: F) -> F:
            self.error_handlers.append((kinds, function))
            return function

        return declared

    def find(self, method: bytes, path: bytes) -> tuple[Route, Mapping[str, str]]:
        """The route for a request, and the parameters of its path.

        :raises werkzeug.exceptions.NotFound: or :exc:`~werkzeug.exceptions.MethodNotAllowed`, if there is none.
        """
        table, text = self._table or self._make_table(), unquoted(path)
        found = table.find(method, text)
        if found is None and text.startswith("//"):
            text = "/" + text.lstrip("/")  # as the URL map does
            found = table.find(method, text)
        if found is None:
            # werkzeug ignores case in methods, which HTTP does not: ask for one that no route has
            self.url_map.bind("localhost").match(text, _NO_METHOD)
            raise AssertionError("the URL map raises an error for a request that is not in the tables")
        return found

    def _make_table(self) -> _Table:
        """Make the table of all routes that are declared by now."""
        table = self._table = _Table()
        for rule in self.url_map.iter_rules():
            route = self._routes[rule.endpoint]
            table.add(rule.rule, {method.encode("ascii"): route for method in rule.methods or ()})
        return table


def unquoted(path: bytes) -> str:
    """A path as text, with percent-encoding decoded but for ``%2F``: that slash separates no segments."""
    if b"%" not in path:
        return path.decode("utf-8", "replace")
    segments = (unquote_to_bytes(segment).decode("utf-8", "replace") for segment in path.split(b"/"))
    return "/".join(segment.replace("/", "%2F") for segment in segments)
