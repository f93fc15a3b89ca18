"""Bearing: parcels on their way, one try after the other.

A bearer takes one parcel at a time, and stays with it until it is delivered: one keeps the order, several carry side
by side.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pushd.core.clocks import Clocks
from pushd.lib import backoff
from pushd.lib.background import in_background
from pushd.model.errors import Unavailable
from pushd.model.timestamps import milliseconds
from pushd.model.webhook import Attempt, Subscription
from pushd.notifications.webhooks import signature
from pushd.notifications.webhooks.delivery_window import DeliveryWindow, InFlight
from pushd.notifications.webhooks.notes import Notes
from pushd.notifications.webhooks.reading import AGAIN
from pushd.notifications.webhooks.sender import GONE, PostOutcome, WebhookSender

USER_AGENT = "pushd"

PATIENCE = 3 * 86400.0
"""Seconds after the first failure of an event, after which its webhook is disabled."""

_log = Logger()


@define(eq=False, kw_only=True)
class Bearers:
    """The bearers of one subscription; they call ``room`` when they could take more, and ``over`` when the webhook was
    changed or disabled.
    """

    subscription: Subscription
    clocks: Clocks
    poster: WebhookSender
    parcels: DeliveryWindow
    notes: Notes
    chance: Callable[[], float]
    room: Callable[[], None]
    over: Callable[[], None]
    _bearers: set[Deferred[None]] = field(factory=set, init=False)
    _rests: dict[Deferred[Any], float] = field(factory=dict, init=False)
    _ended: bool = field(default=False, init=False)
    _dropped: bool = field(default=False, init=False)

    @property
    def busy(self) -> bool:
        """Whether anything is being carried."""
        return bool(self._bearers)

    def hire(self) -> None:
        """As many bearers as may be, while there is something to carry."""
        while not self._ended and self.parcels.waiting and len(self._bearers) < self.subscription.webhook.parallel:
            bearer = in_background(self._bear())
            self._bearers.add(bearer)
            bearer.addBoth(self._leave, bearer)

    def overdue(self) -> float:
        """For how many seconds a parcel has rested too long."""
        now = self.clocks.clock.seconds()
        return now - min(self._rests.values(), default=now)

    def end(self) -> None:
        """Begin nothing more; what is on its way may arrive."""
        self._ended = True
        for rest in tuple(self._rests):
            rest.cancel()

    def drop(self) -> None:
        """End at once; what is on its way may arrive, but we will not know."""
        self._dropped = True
        self.end()
        for bearer in tuple(self._bearers):
            bearer.cancel()

    async def finish(self, seconds: float) -> None:
        """End; what is on its way has so many seconds to arrive."""
        self.end()
        late = self.clocks.clock.callLater(seconds, self.drop)
        await DeferredList(tuple(self._bearers))
        if late.active():
            late.cancel()

    def _leave(self, _result: None, bearer: Deferred[None]) -> None:
        self._bearers.discard(bearer)

    async def _bear(self) -> None:
        await deferLater(self.clocks.clock, 0)  # whoever hires may finish first
        while not self._ended and (parcel := self.parcels.begin()) is not None:
            await self._rest(parcel)
            while not await self._try(parcel):
                await self._rest(parcel)
            if not self.parcels.full:
                self.room()

    async def _rest(self, parcel: InFlight) -> None:
        """Wait until a parcel is due.

        :raises CancelledError: if we have ended.
        """
        if self._ended:
            raise CancelledError
        seconds = min((parcel.due - self.clocks.wall_now()) / 1000, backoff.MAX_RETRY_DELAY)
        if seconds <= 0:
            return
        rest: Deferred[Any] = deferLater(self.clocks.clock, seconds)
        self._rests[rest] = self.clocks.clock.seconds() + seconds
        try:
            await rest
        finally:
            del self._rests[rest]

    async def _try(self, parcel: InFlight) -> bool:
        """Try once to deliver a parcel; whether it was.

        :raises CancelledError: if we were dropped, or the webhook was changed or disabled.
        """
        at, began = self.clocks.wall_now(), self.clocks.clock.seconds()
        answer = await self._post(parcel, at)
        if self._dropped:
            raise CancelledError
        duration = milliseconds(self.clocks.clock.seconds() - began)
        attempt = Attempt(seq=parcel.event.seq, at=at, duration=duration, status=answer.status, error=answer.error)
        if answer.delivered:
            self.parcels.delivered(parcel)
            await self._note(attempt, None)
        else:
            await self._note(attempt, self._judge(parcel, answer))
        return answer.delivered

    async def _post(self, parcel: InFlight, at: int) -> PostOutcome:
        secrets = [one.text for one in self.subscription.secrets if one.expires_at is None or one.expires_at > at]
        body = signature.write_message(parcel.event)
        signed = signature.headers(secrets, signature.message_id(parcel.event), at // 1000, body)
        headers = {"content-type": "application/json", "user-agent": USER_AGENT, **signed}
        return await self.poster.post(self.subscription.webhook.url, headers, body)

    def _judge(self, parcel: InFlight, answer: PostOutcome) -> str | None:
        """When a parcel that was not delivered is due again; or, in words, why its webhook is to be disabled."""
        now = self.clocks.wall_now()
        parcel.since = now if parcel.since is None else parcel.since
        last = parcel.since + milliseconds(PATIENCE)
        asked = backoff.read_retry_after(answer.retry_after, now / 1000)
        delay = backoff.retry_delay((now - parcel.since) / 1000, asked, self.chance())
        parcel.due = min(now + milliseconds(delay), last)
        if answer.status == GONE:
            return "the receiver wants no more: 410 Gone"
        return "an event could not be delivered for 3 days" if now >= last else None

    async def _note(self, attempt: Attempt, reason: str | None) -> None:
        """Write down what came of a try, however long the store takes; with a reason, disable the webhook.

        :raises CancelledError: if the webhook was changed or disabled.
        """
        while True:
            try:
                if reason is None:
                    stands = await self.notes.note(attempt)
                else:
                    await self.notes.disable(attempt, reason, self.clocks.now())
                    stands = False
                    _log.warn("Webhook {id} is disabled: {reason}", id=self.notes.webhook, reason=reason)
                break
            except Unavailable as error:
                _log.warn("Webhook {id} cannot be noted: {error}", id=self.notes.webhook, error=str(error))
                if self._ended:
                    raise CancelledError from error
                await deferLater(self.clocks.clock, AGAIN)
        if not stands:
            self.over()
            raise CancelledError
