"""Test messages to webhooks and to the recipients of mails: a few a minute."""

from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from attrs import define, field, frozen

from pushd.core.audit import AuditLog
from pushd.model.actor import Actor
from pushd.model.errors import NoMail, TooManyTests, Unavailable
from pushd.model.webhook import Subscription
from pushd.store.interface import IStore

WEBHOOK_TESTS = 10
"""Test messages to one webhook within :data:`PERIOD` at most."""

MAIL_TESTS = 1
"""Test mails within :data:`PERIOD` at most."""

PERIOD = 60.0
"""Seconds."""


@frozen(kw_only=True)
class ReceiverAnswer:
    """What the receiver of a webhook answered: its status if there was one, or what went wrong; seconds."""

    status: int | None
    duration: float
    error: str | None


@frozen(kw_only=True)
class RecipientReply:
    """What the mail server replied about one recipient, or why it could not be asked."""

    address: str
    accepted: bool
    reply: str


PostTest = Callable[[Subscription], Coroutine[Any, Any, ReceiverAnswer]]
MailTest = Callable[[], Coroutine[Any, Any, Sequence[RecipientReply]]]


@define(eq=False)
class NotificationTester:
    """Sends test messages through the services that send the others; ``now`` gives monotonic seconds."""

    store: IStore
    audit_log: AuditLog
    now: Callable[[], float]
    post: PostTest | None = field(default=None, init=False)
    """Set by the service that delivers webhooks."""
    mail: MailTest | None = field(default=None, init=False)
    """Set by the service that mails alerts; None if no mails are configured."""
    _webhook_tests: defaultdict[str, deque[float]] = field(factory=lambda: defaultdict(deque), init=False)
    """When the latest ones were sent, by the webhook's id."""
    _mail_tests: deque[float] = field(factory=deque, init=False)

    async def test_webhook(self, webhook: str, by: Actor) -> ReceiverAnswer:
        """Send a test message to a webhook, which may be disabled.

        :raises UnknownWebhook: if there is none.
        :raises TooManyTests: if there were :data:`WEBHOOK_TESTS` within the last minute.
        """
        subscription: Subscription = await self.store.subscription(webhook)
        if self.post is None:
            raise Unavailable("Webhooks are not delivered yet; try again.")
        self._forget_old_tests()
        self._count(self._webhook_tests[webhook], WEBHOOK_TESTS, "This webhook")
        await self.audit_log.record(by, "webhook.test", f"webhook:{webhook}")
        return await self.post(subscription)

    async def test_mail(self, by: Actor) -> Sequence[RecipientReply]:
        """Send a test mail to all recipients.

        :raises NoMail: if no mails are configured.
        :raises TooManyTests: if there were :data:`MAIL_TESTS` within the last minute.
        """
        if self.mail is None:
            raise NoMail("No mails are configured; start the server with --mail-to, --mail-from and --smtp.")
        self._count(self._mail_tests, MAIL_TESTS, "The mail server")
        await self.audit_log.record(by, "mail.test", "mail:recipients")
        return await self.mail()

    def _count(self, tests: deque[float], most: int, who: str) -> None:
        now = self.now()
        while tests and tests[0] <= now - PERIOD:
            tests.popleft()
        if len(tests) >= most:
            wait = tests[0] + PERIOD - now
            raise TooManyTests(f"{who} was tested {most} times within a minute; wait {wait:.0f} s.", wait)
        tests.append(now)

    def _forget_old_tests(self) -> None:
        """Keep nothing of webhooks that were deleted."""
        since = self.now() - PERIOD
        for webhook, tests in tuple(self._webhook_tests.items()):
            if not tests or tests[-1] <= since:
                del self._webhook_tests[webhook]
