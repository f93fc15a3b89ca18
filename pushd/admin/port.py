"""The admin port: which app answers which path."""

import re
from collections.abc import Mapping

from attrs import define

from pushd.http.bodies import LARGE, SMALL
from pushd.http.handlers import IApp, serve
from pushd.http.request import Request
from pushd.http.router import unquoted

_SENDING = re.compile(rb"/v1/devices/[^/]+/commands")


@define(eq=False)
class AdminPort:
    """Each app declares whole paths; this only finds the app."""

    apps: Mapping[str, IApp]
    """By what stands behind ``/v1/``."""
    rest: IApp
    """Health, and whatever is not there."""

    def serve(self, request: Request) -> None:
        """Hand a request to its app."""
        serve(self._app(unquoted(request.path)), request, request.path)

    def body_limit(self, _method: bytes, target: bytes) -> int:
        """How many bytes of a body to keep: much only of a command."""
        return LARGE if _SENDING.fullmatch(target.partition(b"?")[0]) else SMALL

    def _app(self, path: str) -> IApp:
        _, version, name = (*path.split("/"), "", "")[:3]
        return self.apps.get(name, self.rest) if version == "v1" else self.rest
