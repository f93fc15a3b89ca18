"""The router: routes are declared as Klein's; which one answers a request is looked up in tables made from them.

What is skipped for each request is Klein's own way to a route (binding a URL map, chaining Deferreds), which costs
more than the answer. That is safe: the tables are made from Klein's URL map and hold nothing that it does not say, and
what they do not know is put to that map, which then says why: no such path, or no such method.
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
"""Of an app, a request, and the parts of its path; its body, or None if it was answered piece by piece."""

Rescue = Callable[[Any, Any, Failure], bytes]
"""Of an app, a request and a failure: what to answer instead."""

_PARAMETER = re.compile(r"<(\w+)>")


@define(eq=False)
class _Table:
    """Routes by path and method."""

    plain: dict[str, dict[bytes, Route]] = field(factory=dict)
    patterns: dict[int, list[tuple[re.Pattern[str], dict[bytes, Route]]]] = field(factory=dict)
    """By how many slashes there are in a path; there is none in a parameter."""

    def add(self, path: str, methods: Mapping[bytes, Route]) -> None:
        """Add a route; its parameters are parts of a path, whole and not empty, as they are to werkzeug."""
        if "<" not in path:
            self.plain.setdefault(path, {}).update(methods)
            return
        names = _PARAMETER.split(path)
        text = "".join(f"(?P<{part}>[^/]+)" if n % 2 else re.escape(part) for n, part in enumerate(names))
        self.patterns.setdefault(path.count("/"), []).append((re.compile(text), dict(methods)))

    def find(self, method: bytes, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route of a request, and its parameters."""
        methods = self.plain.get(path)
        if methods is not None and method in methods:
            return methods[method], {}
        for pattern, methods in self.patterns.get(path.count("/"), ()):
            if method in methods and (match := pattern.fullmatch(path)) is not None:
                return methods[method], match.groupdict()
        return None


class Router(Klein):
    """Routes of one door, declared on its class, where ``GET`` does not mean ``HEAD``."""

    def __init__(self, render_error: Callable[[Any, Failure], bytes] | None = None) -> None:
        """``render_error`` gives the response to a request and its failure, where no other handler is declared."""
        super().__init__()
        self.url_map.merge_slashes = False  # werkzeug would redirect, and no device follows
        self.render_error = render_error
        self.rescues: list[tuple[tuple[type[BaseException], ...], Rescue]] = []
        """What answers for which errors; the first that fits does."""
        self._routes: dict[str, Route] = {}
        self._table: _Table | None = None

    def __get__(self, _app: object, _kind: object) -> "Router":
        """The same for all instances of an app: routes are given theirs."""
        return self

    def route(self, url: str, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        """Declare a route, as :meth:`klein.Klein.route` does; GET alone unless ``methods`` says otherwise."""
        declare = super().route(url, *args, **kwargs)

        def declared(function: F) -> F:
            declare(function)
            self._routes[function.__name__] = function
            for rule in self.url_map.iter_rules():
                # werkzeug lets HEAD in wherever GET is, but one of a poll would take a command and show it to nobody
                (rule.methods or set()).discard("HEAD")
            return function

        return declared

    def handle_errors(self, *kinds: Any) -> Callable[[F], F]:
        """See :meth:`klein.Klein.handle_errors`; each app needs its own."""

        def declared(function: F) -> F:
            self.rescues.append((kinds, function))
            return function

        return declared

    def find(self, method: bytes, path: bytes) -> tuple[Route, Mapping[str, str]]:
        """The route that answers a request, and its parameters.

        :raises werkzeug.exceptions.NotFound: or :exc:`~werkzeug.exceptions.MethodNotAllowed`, if there is none.
        """
        table, text = self._table or self._tabulate(), unquoted(path)
        found = table.find(method, text)
        if found is None and text.startswith("//"):
            text = "/" + text.lstrip("/")  # as the map has it
            found = table.find(method, text)
        if found is None:
            self.url_map.bind("localhost").match(text, method.decode("latin-1"))
            raise LookupError(f"{text} has a route that is in no table")
        return found

    def _tabulate(self) -> _Table:
        """Make the tables of what is declared by now."""
        table = self._table = _Table()
        for rule in self.url_map.iter_rules():
            route = self._routes[rule.endpoint]
            table.add(rule.rule, {method.encode("ascii"): route for method in rule.methods or ()})
        return table


def unquoted(path: bytes) -> str:
    """A path as text; a slash that was quoted stays so, for it separates nothing."""
    if b"%" not in path:
        return path.decode("utf-8", "replace")
    texts = (unquote_to_bytes(part).decode("utf-8", "replace") for part in path.split(b"/"))
    return "/".join(text.replace("/", "%2F") for text in texts)
