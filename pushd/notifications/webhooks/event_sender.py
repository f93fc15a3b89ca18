"""Sends an event to a webhook: with what a receiver needs to know of its device and command, in the right format."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define

from pushd.core.clocks import Clocks
from pushd.core.notification_tester import ReceiverAnswer
from pushd.lib import webhook_signature
from pushd.lib.text import local_time, one_line
from pushd.lib.webhook_message import USER_AGENT, message_id, result_data
from pushd.lib.webhook_sender import PostOutcome, WebhookSender
from pushd.model.errors import UnknownCommand
from pushd.model.event import WITH_RESULT, Event, to_json
from pushd.model.large_text import LargeText
from pushd.model.links import NO_LINKS, Links
from pushd.model.timestamps import to_rfc3339
from pushd.model.webhook import TEST_TYPE, Subscription, WebhookFormat
from pushd.notifications.known_devices import KnownDevices
from pushd.notifications.webhooks import formats
from pushd.store.interface import IStore

LATE = 60_000
"""Milliseconds after which a sentence about an event says when it was."""

MAX_TEST_ERROR = 200
"""Characters of the error of a test message at most."""


@define(eq=False)
class EventSender:
    """Sends events, and test messages, to webhooks: one attempt each."""

    sender: WebhookSender
    clocks: Clocks
    known_devices: KnownDevices
    store: IStore
    links: Links = NO_LINKS

    async def send(self, subscription: Subscription, event: Event, at: int) -> PostOutcome:
        """Send an event; ``at`` is when the attempt begins, in wall milliseconds.

        :raises Unavailable: if the store cannot be read.
        """
        shown = to_json(event)
        shown["data"] = await self._data(event, include_result=subscription.webhook.include_result)
        happened = local_time(datetime.fromtimestamp(event.at / 1000, UTC)) if at - event.at > LATE else ""
        return await self._post(subscription, message_id(event.public_id), shown, at, happened)

    async def send_test(self, subscription: Subscription) -> ReceiverAnswer:
        """Send a message that is about no event."""
        at, began = self.clocks.wall_now(), self.clocks.clock.seconds()
        shown: dict[str, Any] = {
            "seq": None,
            "type": TEST_TYPE,
            "at": to_rfc3339(at),
            "device": None,
            "by": None,
            "command": None,
            "data": {},
        }
        outcome = await self._post(subscription, f"test_{at}", shown, at)
        error = one_line(outcome.error or "", MAX_TEST_ERROR) or None
        if error is None and not outcome.delivered:
            error = f"the receiver answered {outcome.status}"
        return ReceiverAnswer(status=outcome.status, duration=self.clocks.clock.seconds() - began, error=error)

    async def _post(
        self, subscription: Subscription, message_id: str, shown: Mapping[str, Any], at: int, happened: str = ""
    ) -> PostOutcome:
        webhook = subscription.webhook
        message = formats.write_message(webhook.format, shown, happened, self._link(shown))
        headers = {"user-agent": USER_AGENT, **message.headers}
        if webhook.format is WebhookFormat.STANDARD:
            now = self.clocks.elapsed_now()
            secrets = [each.text for each in subscription.secrets if each.expires_at is None or each.expires_at > now]
            headers |= webhook_signature.headers(secrets, message_id, at // 1000, message.body)
        return await self.sender.post(webhook.url, headers, message.body)

    def _link(self, shown: Mapping[str, Any]) -> str | None:
        """The page of the alert or the device that an event is about."""
        if "alert" in shown["data"]:
            return self.links.alert(shown["data"]["alert"])
        return None if shown["device"] is None else self.links.device(shown["device"])

    async def _data(self, event: Event, *, include_result: bool) -> dict[str, Any]:
        """The event's data, with the labels of its device, and the result of its command if there is one."""
        data = dict(event.data)
        if event.device is not None and "tags" not in data:
            labels = await self.known_devices.labels(event.device, event.seq)
            data = labels.as_data() | data
        if include_result and event.command is not None and event.type in WITH_RESULT:
            data |= await self._result(event.command)
        return data

    async def _result(self, command: str) -> dict[str, Any]:
        """The result of a command, or the beginning of its text if it is large."""
        try:
            result = (await self.store.command(command)).result
        except UnknownCommand:  # it was purged
            return {}
        if result is None:
            return {}
        return result_data(result.data if isinstance(result, LargeText) else result.encode())
