"""Tests of stored webhooks."""

import pytest
from attrs import evolve

from pushd.model.alert import AlertRules
from pushd.model.errors import InvalidFields, TooManyWebhooks, UnknownWebhook
from pushd.model.event import Event, EventType
from pushd.model.webhook import (
    MAX_DELIVERIES,
    MAX_WEBHOOKS,
    Attempt,
    Failing,
    Progress,
    Secret,
    Webhook,
    WebhookFormat,
)
from pushd.store.interface import IStore
from tests.store.clock import when
from tests.store.samples import WALL, at, command_id, wall


def webhook(number: int = 1) -> Webhook:
    """A webhook of a test."""
    return Webhook(
        id=command_id(number),
        url=f"https://example.com/{number}",
        types=(EventType.COMMAND_FAILED, EventType.DEVICE_OFFLINE),
        devices=("controlid:1",),
        sites=("Lisbon",),
        tags=("door", "ä"),
        format=WebhookFormat.NTFY,
        include_result=True,
        parallel=3,
        created_at=WALL,
    )


def progress(cursor: int = 2, revision: int = 0, failing: Failing | None = None) -> Progress:
    """The progress of the first webhook."""
    return Progress(webhook=command_id(1), revision=revision, cursor=cursor, failing=failing)


async def test_a_webhook_is_stored(store: IStore) -> None:
    """It can be read back, and begins with the next event."""
    added = await when(store, at()).add_webhook(webhook(), "whsec_1")
    last = await store.last_event()
    assert added.webhook.cursor == last > 0
    assert added.secrets == (Secret(text="whsec_1"),)
    assert await store.webhook(command_id(1)) == added.webhook
    assert await store.subscriptions() == [added]
    assert await store.subscription(command_id(1)) == added
    assert added.webhook == evolve(webhook(), cursor=last)


async def test_the_number_of_webhooks_is_limited(store: IStore) -> None:
    """Beyond the limit none can be added until one is deleted."""
    for number in range(MAX_WEBHOOKS):
        await store.add_webhook(webhook(number), "whsec_1")
    with pytest.raises(TooManyWebhooks):
        await store.add_webhook(webhook(MAX_WEBHOOKS), "whsec_1")
    await store.delete_webhook(command_id(0))
    await store.add_webhook(webhook(MAX_WEBHOOKS), "whsec_1")
    first = await store.webhooks(None, 10)
    assert [found.id for found in first] == [command_id(number) for number in range(1, 11)]
    assert [found.id for found in await store.webhooks(command_id(10), 2)] == [command_id(11), command_id(12)]


async def test_an_unknown_webhook_is_an_error(store: IStore) -> None:
    """No operation works on a webhook that does not exist."""
    for verb in (
        lambda: store.webhook("x"),
        lambda: store.subscription("x"),
        lambda: store.change_webhook("x", {"parallel": 1}),
        lambda: store.delete_webhook("x"),
        lambda: store.rotate_secret("x", "whsec_1", 0),
        lambda: store.redeliver("x", None),
        lambda: store.deliveries("x", None, 1),
    ):
        with pytest.raises(UnknownWebhook):
            await verb()


async def test_progress_is_saved(store: IStore) -> None:
    """The cursor is saved, with each attempt."""
    await store.add_webhook(webhook(), "whsec_1")
    failing = Failing(seq=3, since=wall(1), next_attempt_at=wall(6))
    attempt = Attempt(seq=3, at=wall(1), duration=12, status=500, error="no")
    assert await store.save_progress(progress(2, failing=failing), attempt)
    [found] = await store.subscriptions()
    assert found.failing == 3
    assert (found.webhook.cursor, found.webhook.failing_since, found.webhook.next_attempt_at) == (2, wall(1), wall(6))
    assert await store.save_progress(progress(3), None)
    assert [entry.attempt for entry in await store.deliveries(command_id(1), None, 10)] == [attempt]
    assert (await store.webhook(command_id(1))).failing_since is None


async def test_progress_of_an_older_revision_is_not_saved(store: IStore) -> None:
    """Progress that is saved after an operator has changed the webhook does not undo the change."""
    await store.add_webhook(webhook(), "whsec_1")
    attempt = Attempt(seq=3, at=wall(1))
    changed = await store.redeliver(command_id(1), 0)
    assert (changed.revision, changed.webhook.cursor) == (1, 0)
    assert not await store.save_progress(progress(2), attempt)
    assert not await store.disable_webhook(progress(2), attempt, "why", AlertRules())
    found = await store.webhook(command_id(1))
    assert (found.cursor, found.disabled_at) == (0, None)
    assert await store.deliveries(command_id(1), None, 10) == []


async def test_disabling(store: IStore, events: list[Event]) -> None:
    """A disabled webhook raises an alert and an event, and can be enabled."""
    await when(store, at()).add_webhook(webhook(), "whsec_1")
    failing = Failing(seq=3, since=wall(1), next_attempt_at=wall(6))
    assert await when(store, at(9)).disable_webhook(
        progress(2, failing=failing), Attempt(seq=3, at=wall(9)), "why", AlertRules()
    )
    found = await store.webhook(command_id(1))
    assert (found.disabled_at, found.disabled_reason, found.next_attempt_at) == (wall(9), "why", None)
    event, alert = events
    assert (alert.type, alert.data["webhook"]) == (EventType.ALERT_RAISED, command_id(1))
    assert (event.type, event.data) == (
        EventType.WEBHOOK_FAILED,
        {"webhook": command_id(1), "reason": "why", "seq": "3"},
    )
    assert not await store.save_progress(progress(3, revision=1), None)
    enabled = await when(store, at(10)).redeliver(command_id(1), None)
    assert (enabled.webhook.disabled_at, enabled.webhook.cursor, enabled.failing) == (None, 2, None)
    with pytest.raises(InvalidFields, match="#/after"):
        await when(store, at(10)).redeliver(command_id(1), 99)


async def test_secrets_overlap(store: IStore) -> None:
    """A replaced secret is kept until its overlap ends, and only a few are."""
    await when(store, at()).add_webhook(webhook(), "whsec_0")
    rotated = await when(store, at()).rotate_secret(command_id(1), "whsec_1", 60)
    assert rotated.secrets == (Secret(text="whsec_1"), Secret(text="whsec_0", expires_at=wall(60)))
    rotated = await when(store, at(61)).rotate_secret(command_id(1), "whsec_2", 0)
    assert [secret.text for secret in rotated.secrets] == ["whsec_2"]
    for number in range(3, 20):
        rotated = await when(store, at(62)).rotate_secret(command_id(1), f"whsec_{number}", 60)
    assert [secret.text for secret in rotated.secrets] == [f"whsec_{number}" for number in (19, 18, 17, 16, 15)]


async def test_the_log_is_bounded(store: IStore) -> None:
    """The newest entries of each webhook are kept."""
    await when(store, at()).add_webhook(webhook(), "whsec_1")
    for number in range(MAX_DELIVERIES + 5):
        await store.save_progress(progress(), Attempt(seq=number, at=wall(number)))
    found = await store.deliveries(command_id(1), None, 2 * MAX_DELIVERIES)
    assert [entry.attempt.seq for entry in found] == list(range(MAX_DELIVERIES + 4, 4, -1))
    page = await store.deliveries(command_id(1), found[9].id, 3)
    assert page == found[10:13]
    await when(store, at(MAX_DELIVERIES)).purge(wall(MAX_DELIVERIES), 2 * MAX_DELIVERIES)
    found = await store.deliveries(command_id(1), None, MAX_DELIVERIES)
    assert [entry.attempt.seq for entry in found] == list(range(MAX_DELIVERIES + 4, MAX_DELIVERIES - 1, -1))


async def test_nothing_of_a_deleted_webhook_is_left(store: IStore) -> None:
    """Its secrets and its log are deleted, too."""
    await store.add_webhook(webhook(), "whsec_1")
    await store.save_progress(progress(), Attempt(seq=1, at=WALL))
    await store.delete_webhook(command_id(1))
    again = await store.add_webhook(webhook(), "whsec_2")
    assert [secret.text for secret in again.secrets] == ["whsec_2"]
    assert await store.deliveries(command_id(1), None, 10) == []
