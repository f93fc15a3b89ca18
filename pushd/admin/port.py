"""The admin port: finds the app that answers a path."""

import re
from collections.abc import Mapping

from attrs import define

from pushd.http.bodies import LARGE, SMALL
from pushd.http.handlers import IApp, serve
from pushd.http.request import Request
from pushd.http.router import unquoted

_SEND = re.compile(r"/v1/devices/[^/]+/commands")


@define(eq=False)
class AdminPort:
    """Hands each request to its app, which routes it by the whole path."""

    apps: Mapping[str, IApp]
    """By the first part of the path below ``/v1/``; ``commands`` also has ``/v1/devices/{device}/commands``."""
    default: IApp
    """For all other paths: health checks, and 404."""

    def serve(self, request: Request) -> None:
        """Answer a request."""
        serve(self._app(unquoted(request.path)), request, request.path)

    def body_limit(self, _method: bytes, target: bytes) -> int:
        """The size limit of a body: large for sending a command only."""
        return LARGE if _SEND.fullmatch(target.partition(b"?")[0].decode("latin-1")) else SMALL

    def _app(self, path: str) -> IApp:
        _, version, name = (*path.split("/"), "", "")[:3]
        if _SEND.fullmatch(path):
            name = "commands"
        return self.apps.get(name, self.default) if version == "v1" else self.default
