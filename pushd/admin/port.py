"""The admin port: finds the app that answers a path."""

import re
from collections.abc import Mapping

from attrs import define
from werkzeug.exceptions import HTTPException

from pushd.admin.auth import Authenticator, check_role
from pushd.admin.cors import CorsPolicy
from pushd.http.bodies import LARGE, LOG_IN, SMALL, BodyGrant, Sender
from pushd.http.handlers import respond_error, serve
from pushd.http.request import Request
from pushd.http.router import IApp, unquoted
from pushd.model.errors import MissingHost, NotAuthenticated, NotPermitted, Unavailable
from pushd.model.token import Role

_SEND = re.compile(r"/v1/devices/[^/]+/commands")
_OF_DEVICE = re.compile(r"/v1/devices/[^/]+/(commands|open)")


@define(eq=False)
class AdminPort:
    """Hands each request to its app, which routes it by the whole path."""

    apps: Mapping[str, IApp]
    """By the first part of the path below ``/v1/``, or by the last one of ``/v1/devices/{device}/commands`` and
    ``/v1/devices/{device}/open``.
    """
    pages: Mapping[str, IApp]
    """By the first part of all other paths."""
    default: IApp
    """For paths below ``/v1/`` that are in neither."""
    dashboard: IApp
    """For all other paths."""
    auth: Authenticator
    cors: CorsPolicy

    def serve(self, request: Request) -> None:
        """Answer a request; one without Host is refused, as HTTP/1.1 demands."""
        path = unquoted(request.path)
        app = self._app(path)
        if request.is_http_1_1 and b"Host" not in request.requestHeaders:
            respond_error(app, request, MissingHost())
        elif self.cors.origins and path.startswith("/v1/") and self.cors.allow(request):
            request.respond(b"")
        else:
            serve(app, request, path)

    def grant_body(self, request: Request) -> BodyGrant | None:
        """How much of a body to keep: something only of an operator, or to log in; much for sending a command only."""
        path = unquoted(request.path)
        if (request.method, path) == (b"POST", "/v1/session"):
            return BodyGrant(Sender.UNAUTHENTICATED, LOG_IN)
        try:
            self._app(path).router.find(request.method, path)
            client = self.auth.authenticate(request)
            if client is None:
                return None
            check_role(client.principal, Role.OPERATOR)
        except (HTTPException, NotAuthenticated, NotPermitted, Unavailable):
            return None
        return BodyGrant(Sender.OPERATOR, LARGE if _SEND.fullmatch(path) else SMALL)

    def not_http(self, _address: str | None, _data: bytes) -> None:
        """What is no HTTP request is not listed: only that of devices is, whose users do not see the connection."""

    def _app(self, path: str) -> IApp:
        _, version, name = (*path.split("/"), "", "")[:3]
        if of_device := _OF_DEVICE.fullmatch(path):
            name = of_device[1]
        return self.apps.get(name, self.default) if version == "v1" else self.pages.get(version, self.dashboard)
