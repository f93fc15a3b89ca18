"""``/v1/tokens``: make, list, change, rotate and revoke tokens."""

from attrs import define

from pushd.admin import json_views, parameters, principal_bodies, request_bodies
from pushd.admin.auth import Authenticator, actor, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.tokens import ISSUED_TOKEN, TOKEN, TOKENS
from pushd.core.devices.registry import DeviceRegistry
from pushd.core.tokens import Tokens
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role, Token


@define(eq=False)
class TokensApp:
    """List, make, get, change, rotate, revoke."""

    router = Router(problem)

    auth: Authenticator
    tokens: Tokens
    registry: DeviceRegistry

    @router.route("/v1/tokens", methods=["GET"])
    @requires(Role.ADMIN, *parameters.PAGE)
    @answers({200: Answer("Tokens.", TOKENS)})
    async def list(self, _request: Request, query: Query) -> bytes:
        """Tokens, by id, without their secrets."""
        limit, after = query.limit(), query.cursor() or ""
        return json_views.tokens([token for token in self.tokens.all() if token.id > after][:limit], limit)

    @router.route("/v1/tokens", methods=["POST"])
    @requires(Role.ADMIN)
    @answers(
        {201: Answer("The token, with its secret.", ISSUED_TOKEN, has_location=True)},
        body=principal_bodies.NEW_TOKEN,
        errors=(
            "too-many-tokens",
            "name-taken",
        ),
    )
    async def create(self, request: Request) -> bytes:
        """Make a token; its secret is shown only here."""
        body = request_bodies.read_object(request.body.content(), '{"name": "lobby", "role": "operator"}')
        fields = principal_bodies.read_new_token(body, self.registry)
        return _created(request, *await self.tokens.add(by=actor(request), **fields))

    @router.route("/v1/tokens/<token>", methods=["GET"])
    @requires(Role.ADMIN)
    @answers({200: Answer("The token.", TOKEN)})
    async def get(self, _request: Request, token: str) -> bytes:
        """One token."""
        return json_views.json(json_views.token(self.tokens.get(token)))

    @router.route("/v1/tokens/<token>", methods=["PATCH"])
    @requires(Role.ADMIN)
    @answers(
        {200: Answer("The token.", TOKEN)},
        body=principal_bodies.TOKEN_CHANGES,
        errors=(
            "name-taken",
            "last-admin",
        ),
    )
    async def change(self, request: Request, token: str) -> bytes:
        """Change the name, the scope or the expiry of a token."""
        body = request_bodies.read_object(request.body.content(), '{"sites": ["Lobby"]}')
        changes = principal_bodies.read_token_changes(body, self.registry)
        return json_views.json(json_views.token(await self.tokens.change(token, changes, actor(request))))

    @router.route("/v1/tokens/<token>", methods=["DELETE"])
    @requires(Role.ADMIN)
    @answers({204: Answer("It is done.")}, errors=("last-admin",))
    async def revoke(self, request: Request, token: str) -> bytes:
        """Revoke a token."""
        await self.tokens.delete(token, actor(request))
        request.setResponseCode(204)
        return b""

    @router.route("/v1/tokens/<token>/rotate", methods=["POST"])
    @requires(Role.ADMIN, parameters.OVERLAP)
    @answers({201: Answer("The token, with its new secret.", ISSUED_TOKEN, has_location=True)})
    async def rotate(self, request: Request, query: Query, token: str) -> bytes:
        """A new secret, which is shown only here."""
        return _created(request, *await self.tokens.rotate(token, query.overlap(), actor(request)))


def _created(request: Request, token: Token, secret: str) -> bytes:
    request.setResponseCode(201)
    request.setHeader(b"Location", f"/v1/tokens/{token.id}".encode())
    return json_views.json(json_views.token(token) | {"token": secret})
