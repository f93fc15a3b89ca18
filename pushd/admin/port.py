"""The admin port: finds the app that answers a path."""

import re
from collections.abc import Mapping

from attrs import define
from werkzeug.exceptions import HTTPException

from pushd.admin.auth import authenticate, check_role
from pushd.core.credentials import Tokens
from pushd.http.bodies import LARGE, SMALL, BodyGrant, Sender
from pushd.http.handlers import respond_error, serve
from pushd.http.request import Request
from pushd.http.router import IApp, unquoted
from pushd.model.errors import MissingHost, NotAuthenticated, NotPermitted
from pushd.model.token import Role

_SEND = re.compile(r"/v1/devices/[^/]+/commands")


@define(eq=False)
class AdminPort:
    """Hands each request to its app, which routes it by the whole path."""

    apps: Mapping[str, IApp]
    """By the first part of the path below ``/v1/``; ``commands`` also has ``/v1/devices/{device}/commands``."""
    default: IApp
    """For all other paths: health checks, and 404."""
    tokens: Tokens

    def serve(self, request: Request) -> None:
        """Answer a request; one without Host is refused, as HTTP/1.1 demands."""
        path = unquoted(request.path)
        app = self._app(path)
        if request.is_http_1_1 and b"Host" not in request.requestHeaders:
            respond_error(app, request, MissingHost())
        else:
            serve(app, request, path)

    def grant_body(self, request: Request) -> BodyGrant | None:
        """How much of a body to keep: something only with an operator's token; much for sending a command only."""
        path = unquoted(request.path)
        try:
            self._app(path).router.find(request.method, path)
            check_role(authenticate(self.tokens, request), Role.OPERATOR)
        except (HTTPException, NotAuthenticated, NotPermitted):
            return None
        return BodyGrant(Sender.OPERATOR, LARGE if _SEND.fullmatch(path) else SMALL)

    def _app(self, path: str) -> IApp:
        _, version, name = (*path.split("/"), "", "")[:3]
        if _SEND.fullmatch(path):
            name = "commands"
        return self.apps.get(name, self.default) if version == "v1" else self.default
