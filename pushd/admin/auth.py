"""Authentication and authorization of the admin API: bearer tokens and their roles."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from pushd.admin.query_params import NO_QUERY, Query
from pushd.core.credentials import Tokens
from pushd.http.request import Request
from pushd.model.errors import NotAuthenticated, NotPermitted
from pushd.model.token import Role, Token

_INCLUDED = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    Role.DEVICE: frozenset[Role](),
}
"""By the role of a token: the roles whose calls it may make."""

_NO_HEADER = (b"",)

Route = Callable[..., Awaitable[bytes]]


def requires(role: Role, *parameters: str) -> Callable[[Route], Route]:
    """Restrict a route to tokens that include ``role``, and to these query parameters.

    The route finds the token in ``request.token``, and gets ``query`` as an argument if it has parameters. Its app has
    :class:`Tokens` as ``tokens``.

    :raises NotAuthenticated: without a valid token, before the route runs.
    :raises NotPermitted: if the token does not include the role.
    :raises InvalidQuery: if there are other parameters.
    """

    def guard(route: Route) -> Route:
        @wraps(route)
        def guarded(app: Any, request: Request, **arguments: Any) -> Awaitable[bytes]:
            request.token = authenticate(app.tokens, request)
            check_role(request.token, role)
            query = Query.of(request, *parameters) if request.query else NO_QUERY
            if parameters:
                arguments["query"] = query
            return route(app, request, **arguments)

        return guarded

    return guard


def authenticate(tokens: Tokens, request: Request) -> Token:
    """The token in the ``Authorization`` header.

    :raises NotAuthenticated: if there is none, or it is not valid.
    """
    header = request.requestHeaders.get(b"Authorization", _NO_HEADER)[-1]
    scheme, _, secret = header.decode("utf-8", "surrogateescape").partition(" ")
    token = tokens.find(secret.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise NotAuthenticated("A valid token is required: Authorization: Bearer <token>; see admin.token.")
    return token


def check_role(token: Token, role: Role) -> None:
    """Check that a token may make the calls of a role.

    :raises NotPermitted: if it may not.
    """
    if role not in _INCLUDED[token.role]:
        raise NotPermitted(f"This requires the role {role}; the token has the role {token.role}.")
