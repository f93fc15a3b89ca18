"""``/v1/session`` and ``/v1/sessions``: log in, log out, who a client is; and what log-ins there are."""

from attrs import define

from pushd.admin import json_views, parameters, principal_bodies, request_bodies
from pushd.admin.auth import Authenticator, actor, requires, requires_in_scope
from pushd.admin.browsers import clear_session_cookie, session_cookie, set_session_cookie
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.query_params import Query
from pushd.admin.view_schemas.sessions import CURRENT_CLIENT, SESSION, SESSIONS
from pushd.core.clients import Client
from pushd.core.refused_log_ins import RefusedLogIns
from pushd.core.sessions import Browser, Sessions
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.lib.text import one_line
from pushd.model.errors import NotAuthenticated, NotPermitted
from pushd.model.session import MAX_USER_AGENT
from pushd.model.token import Role

_WRONG = {
    "token": "The token is wrong, revoked or expired.",
    "invite": "The invitation was used before, is too old, or there is a newer one; ask for another.",
}
"""By what a client logs in: why it cannot."""

_BY = {"token": "token", "invite": "invitation"}


@define(eq=False)
class SessionsApp:
    """Log in, see who one is, log out; list, get, end."""

    router = Router(problem)

    auth: Authenticator
    sessions: Sessions
    refused_log_ins: RefusedLogIns

    @router.route("/v1/session", methods=["POST"])
    @answers(
        {201: Answer("The client is logged in; the answer sets a cookie.", CURRENT_CLIENT)},
        body=principal_bodies.LOG_IN,
        errors=("unauthenticated", "forbidden"),
        notes="Needs no token in a header, and refuses pages of other origins.",
    )
    async def log_in(self, request: Request) -> bytes:
        """Log in to the dashboard."""
        self.auth.check_hears()
        self.auth.origins.check(request)
        body = request_bodies.read_object(request.body.content(), '{"token": "pushd_..."}')
        means, given = principal_bodies.read_log_in(body)
        before = self._logged_in(request)
        log_in = self.sessions.log_in_by_token if means == "token" else self.sessions.log_in_by_invitation
        browser = _browser(request)
        try:
            secret = await log_in(given, browser, None if before is None else before.session)
        except (NotAuthenticated, NotPermitted):
            self._record_refusal(means, browser)
            raise
        client = None if secret is None else self.sessions.find(secret)
        if secret is None or client is None:
            self._record_refusal(means, browser)
            return await self.auth.tokens.refuse(_WRONG[means])
        set_session_cookie(request, secret)
        request.setResponseCode(201)
        return self._view(client)

    @router.route("/v1/session", methods=["GET"])
    @requires_in_scope(Role.VIEWER)
    @answers({200: Answer("Who the client is.", CURRENT_CLIENT)})
    async def current(self, request: Request) -> bytes:
        """Who the client is, and what it may do."""
        return self._view(request.client)

    @router.route("/v1/session", methods=["DELETE"])
    @requires_in_scope(Role.VIEWER)
    @answers({204: Answer("The session has ended, if the client had one.")})
    async def log_out(self, request: Request) -> bytes:
        """Log out."""
        if request.client.session is not None:
            await self.sessions.end(request.client.session.id, actor(request))
        clear_session_cookie(request)
        request.setResponseCode(204)
        return b""

    @router.route("/v1/sessions", methods=["GET"])
    @requires(Role.ADMIN, *parameters.PAGE)
    @answers({200: Answer("Sessions.", SESSIONS)})
    async def list(self, _request: Request, query: Query) -> bytes:
        """Sessions, by id."""
        limit, after = query.limit(), query.cursor() or ""
        found = [(session, whose) for session, whose in self.sessions.all() if session.id > after][:limit]
        views = [json_views.session(session, whose, self.sessions.clocks) for session, whose in found]
        return json_views.sessions(views, limit)

    @router.route("/v1/sessions/<session>", methods=["GET"])
    @requires(Role.ADMIN)
    @answers({200: Answer("The session.", SESSION)})
    async def get(self, _request: Request, session: str) -> bytes:
        """One session."""
        return json_views.json(json_views.session(*self.sessions.get(session), self.sessions.clocks))

    @router.route("/v1/sessions/<session>", methods=["DELETE"])
    @requires(Role.ADMIN)
    @answers({204: Answer("It has ended.")})
    async def end(self, request: Request, session: str) -> bytes:
        """End a session, with its open event streams."""
        await self.sessions.end(session, actor(request))
        request.setResponseCode(204)
        return b""

    def _record_refusal(self, means: str, browser: Browser) -> None:
        self.refused_log_ins.record(browser.address, {"by": _BY[means], "user_agent": browser.user_agent})

    def _logged_in(self, request: Request) -> Client | None:
        """The client that the cookie of a request stands for."""
        secret = session_cookie(request)
        return None if secret is None else self.sessions.find(secret)

    def _view(self, client: Client) -> bytes:
        return json_views.current_client(client, self.sessions.clocks)


def _browser(request: Request) -> Browser:
    sent = request.getHeader(b"User-Agent")
    user_agent = None if sent is None else one_line(sent.decode("utf-8", "replace"), MAX_USER_AGENT)
    return Browser(address=request.client_address, user_agent=user_agent)
