"""Access: which role a call demands, and which token came with it."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from pushd.core.credentials import Tokens
from pushd.http.request import Request
from pushd.model.errors import NotAuthenticated, NotPermitted
from pushd.model.token import Role, Token

_MAY = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    Role.DEVICE: frozenset[Role](),
}
"""What each role may do of what is demanded."""

Route = Callable[..., Awaitable[bytes]]


def demands(role: Role) -> Callable[[Route], Route]:
    """Let only tokens in that may do what ``role`` does; the app that has the route has :class:`Tokens` as ``tokens``.

    :raises NotAuthenticated: or :exc:`NotPermitted`, before the route runs.
    """

    def guard(route: Route) -> Route:
        @wraps(route)
        async def guarded(app: Any, request: Request, **parts: str) -> bytes:
            check(authenticate(app.tokens, request), role)
            return await route(app, request, **parts)

        return guarded

    return guard


def authenticate(tokens: Tokens, request: Request) -> Token:
    """The token that came with a request.

    :raises NotAuthenticated: if there is none, or it is not valid.
    """
    if request.token is not None:
        return request.token
    header = (request.getHeader(b"Authorization") or b"").decode("utf-8", "surrogateescape")
    scheme, _, secret = header.partition(" ")
    token = tokens.find(secret.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise NotAuthenticated("A valid token is needed: Authorization: Bearer <token>; see admin.token.")
    request.token = token
    return token


def check(token: Token, role: Role) -> None:
    """Whether a token may do what ``role`` does.

    :raises NotPermitted: if it may not.
    """
    if role not in _MAY[token.role]:
        raise NotPermitted(f"This needs the role {role}; the token has {token.role}.")
