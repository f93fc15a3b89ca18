"""Authentication and authorization of the admin API: who a client is, its role and its scope."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from attrs import define

from pushd.admin.auth_proxy import AuthProxy
from pushd.admin.browsers import OriginPolicy, session_cookie
from pushd.admin.operations import Access, set_access
from pushd.admin.parameters import Parameter
from pushd.admin.query_params import NO_QUERY, Query
from pushd.core.clients import Client, Means
from pushd.core.credentials import csrf_token
from pushd.core.devices.device_lookups import DeviceLookups
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.people import People
from pushd.core.refused_log_ins import RefusedLogIns
from pushd.core.scoped_view import ScopedView
from pushd.core.sessions import Sessions
from pushd.core.tokens import Tokens
from pushd.http.request import Request
from pushd.model.actor import Actor
from pushd.model.device import MAX_TEXT
from pushd.model.errors import AdmissionChanged, NotAuthenticated, NotPermitted, Unavailable
from pushd.model.token import Principal, Role
from pushd.store.membership import NOT_HEARD, IMembership

_INCLUDED = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    Role.DEVICE: frozenset[Role](),
}
"""By the role of a client: the roles whose calls it may make."""

_NO_TOKEN = (
    "A token is required: Authorization: Bearer <token>. The first start of the server writes one to"
    " <data-dir>/admin.token."
)
_WRONG_HEADER = "The header must be: Authorization: Bearer <token>."

T = TypeVar("T")

Route = Callable[..., Awaitable[bytes]]


@define(eq=False)
class Authenticator:
    """Finds out who sends a request."""

    membership: IMembership
    tokens: Tokens
    sessions: Sessions
    registry: DeviceRegistry
    origins: OriginPolicy
    people: People
    proxy: AuthProxy | None
    refused_log_ins: RefusedLogIns
    lookups: DeviceLookups

    def authenticate(self, request: Request) -> Client | None:
        """Who sends a request: by its token, or else by what a proxy says, or else by its cookie; None if the token is
        wrong.

        :raises NotAuthenticated: if it has none of these, or its session has ended.
        :raises NotPermitted: if the proxy names a person who is not known.
        :raises Unavailable: if another process may have revoked what it has.
        """
        self.check_hears()
        headers = request.requestHeaders.get(b"Authorization")
        if headers is not None:
            scheme, _, secret = headers[-1].decode("utf-8", "surrogateescape").partition(" ")
            if scheme.lower() == "bearer" and secret:
                token = self.tokens.find(secret.strip())
                return None if token is None else Client(token, self.tokens.waits(token))
        name = None if self.proxy is None else self.proxy.person_in(request)
        if name is not None:
            return self._by_proxy(name, request)
        if headers is not None:
            raise NotAuthenticated(_WRONG_HEADER)
        return self._by_cookie(request)

    def check_hears(self) -> None:
        """Check that what is known here of tokens and people is what other processes have made of it.

        :raises Unavailable: if they may have revoked some.
        """
        if not self.membership.hears():
            raise Unavailable(NOT_HEARD, is_logged=True)

    def _by_proxy(self, name: str, request: Request) -> Client:
        person = self.people.find(name)
        if person is None:
            self.refused_log_ins.record(request.client_address, {"by": "proxy", "name": name[:MAX_TEXT]})
            raise NotPermitted(f'No person {name} is known here; an admin adds one with "pushctl invite".')
        return Client(person, self.people.waits(person), Means.PROXY, csrf_token(person.secret))

    def _by_cookie(self, request: Request) -> Client:
        secret = session_cookie(request)
        if secret is None:
            raise NotAuthenticated(_NO_TOKEN)
        client = self.sessions.find(secret)
        if client is None:
            raise NotAuthenticated("The session has ended; log in again.")
        return client

    def admit(self, request: Request, role: Role) -> Client | None:
        """Who sends a request, and has ``role``; None if its token is wrong. From now on, the request has it, too.

        :raises NotAuthenticated: and others, as :meth:`authenticate`.
        :raises NotPermitted: if the client has not the role, or a page of another origin may be behind a change.
        """
        client = self.authenticate(request)
        if client is not None:
            self.origins.check_change(client, request)
            request.client = client
            check_role(client.principal, role)
        return client

    async def act(
        self,
        request: Request,
        role: Role,
        view: ScopedView | None,
        do: Callable[[ScopedView | None], Awaitable[T]],
    ) -> T:
        """Do what a client asks for in its view.

        If another process has changed its token meanwhile, the client is judged anew, by what the database has; if it
        still has ``role``, that is done again, in the view that it has now.

        :raises NotAuthenticated: or :exc:`NotPermitted`, as for a new request.
        """
        while True:
            try:
                return await do(view)
            except AdmissionChanged:
                token = request.client.token
                assert token is not None, "only what has a token carries a revision"
                await self.tokens.read_again(token.token)
                client = self.admit(request, role)
                if client is None:
                    await self.tokens.refuse()
                view = self.view(client.principal)

    def view(self, principal: Principal) -> ScopedView | None:
        """What a client sees of devices, commands, events and alerts; None: all."""
        return None if principal.scope is None else ScopedView(principal.scope, self.registry, principal.name)


def requires(role: Role, *parameters: Parameter) -> Callable[[Route], Route]:
    """Restrict a route to clients without a scope whose role includes ``role``, and to these query parameters.

    The route finds the client in ``request.client``, and gets ``query`` as an argument if it has parameters. Its app
    has an :class:`Authenticator` as ``auth``.

    :raises NotAuthenticated: if it is not known who sends the request, before the route runs.
    :raises NotPermitted: if the role of the client does not include that one, it has a scope, or a page of another
        origin may be behind a change.
    :raises InvalidQuery: if there are other parameters.
    """
    return _guard(role, parameters, _refuse_scope)


def requires_in_scope(role: Role, *parameters: Parameter) -> Callable[[Route], Route]:
    """The same for a route that also serves clients with a scope. If it has an argument ``view``, it gets what the
    client sees, or None if that is everything. A ``device`` in its path is in the view.

    :raises NotAuthenticated: and others, as :func:`requires`.
    :raises UnknownDevice: if the device is not in scope, as if there were no such device.
    """
    return _guard(role, parameters, _apply_scope)


def _guard(
    role: Role,
    parameters: Sequence[Parameter],
    apply_scope: Callable[[Authenticator, Principal, Mapping[str, Any]], ScopedView | None],
) -> Callable[[Route], Route]:
    def guard(route: Route) -> Route:
        takes_view = "view" in signature(route).parameters
        names = [parameter.name for parameter in parameters]

        @wraps(route)
        def guarded(app: Any, request: Request, **arguments: Any) -> Awaitable[bytes]:
            auth: Authenticator = app.auth
            client = auth.admit(request, role)
            if client is None:
                return auth.tokens.refuse()
            if "device" in arguments and auth.lookups.is_worth_it(arguments["device"]):
                return look_up(app, request, arguments)
            return enter(app, request, arguments)

        async def look_up(app: Any, request: Request, arguments: dict[str, Any]) -> bytes:
            auth: Authenticator = app.auth
            await auth.lookups.look_up(arguments["device"])
            auth.check_hears()
            request.client.check()  # the database may have taken a while
            return await enter(app, request, arguments)

        def enter(app: Any, request: Request, arguments: dict[str, Any]) -> Awaitable[bytes]:
            auth, principal = app.auth, request.client.principal
            view = None if principal.scope is None else apply_scope(auth, principal, arguments)
            if takes_view:
                arguments["view"] = view
            query = Query.of(request, *names) if request.query else NO_QUERY
            if parameters:
                arguments["query"] = query
            return route(app, request, **arguments)

        set_access(guarded, Access(role, tuple(parameters), takes_scope=apply_scope is _apply_scope))
        return guarded

    return guard


def _refuse_scope(_auth: Authenticator, _principal: Principal, _arguments: Mapping[str, Any]) -> None:
    raise NotPermitted("This requires a token without a scope.")


def _apply_scope(auth: Authenticator, principal: Principal, arguments: Mapping[str, Any]) -> ScopedView | None:
    view = auth.view(principal)
    if view is not None and "device" in arguments:
        view.check_device(arguments["device"])
    return view


def actor(request: Request) -> Actor:
    """Who changes something by a request."""
    client = request.client
    return Actor(name=client.name, address=request.client_address, token=client.token)


def check_role(principal: Principal, role: Role) -> None:
    """Check that a client may make the calls of a role.

    :raises NotPermitted: if it may not.
    """
    if role not in _INCLUDED[principal.role]:
        raise NotPermitted(f"This requires the role {role}; {principal.name} has the role {principal.role}.")
