"""
The router: Klein, where ``GET`` does not mean ``HEAD``.
"""

from collections.abc import Callable
from typing import Any

from klein import Klein


class Router(Klein):
    """
    Routes of one door, declared on its class.
    """

    def __init__(self) -> None:
        super().__init__()
        self.url_map.merge_slashes = False  # werkzeug would redirect, and no device follows

    def route(self, url: str, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """
        See :meth:`klein.Klein.route`.

        Werkzeug lets ``HEAD`` in wherever ``GET`` is, but a ``HEAD`` of a poll would
        take a command and show it to nobody.
        """
        declare = super().route(url, *args, **kwargs)

        def declared(function: Any) -> Any:
            result = declare(function)
            for rule in self.url_map.iter_rules():
                (rule.methods or set()).discard("HEAD")
            return result

        return declared

    def handle_errors(self, *kinds: Any) -> Callable[[Any], Any]:
        """
        See :meth:`klein.Klein.handle_errors`; each app needs its own, a parent's never sees a branch's errors.
        """
        declare: Callable[[Any], Any] = super().handle_errors(*kinds)
        return declare
