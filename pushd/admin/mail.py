"""``/v1/mail``: send a test mail."""

from attrs import asdict, define

from pushd.admin import json_views, request_bodies
from pushd.admin.auth import Authenticator, actor, requires
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.admin.view_schemas.mail import MAIL_TEST
from pushd.core.notification_tester import NotificationTester
from pushd.http.request import Request
from pushd.http.router import Router
from pushd.model.token import Role


@define(eq=False)
class MailApp:
    """Send a test mail."""

    router = Router(problem)

    auth: Authenticator
    tester: NotificationTester

    @router.route("/v1/mail/test", methods=["POST"])
    @requires(Role.ADMIN)
    @answers(
        {200: Answer("What the mail server replied.", MAIL_TEST)},
        body=request_bodies.EMPTY,
        errors=(
            "no-mail",
            "too-many-tests",
        ),
    )
    async def test(self, request: Request) -> bytes:
        """Send a test mail to all recipients, and show what the mail server replied about each."""
        request_bodies.read_empty(request.body.content())
        return json_views.json(
            {"recipients": [asdict(reply) for reply in await self.tester.test_mail(actor(request))]}
        )
