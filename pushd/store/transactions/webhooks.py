"""The verbs about webhooks."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import asdict

from pushd.model.alert import AlertRules
from pushd.model.errors import FieldError, InvalidFields, TooManyWebhooks, UnknownWebhook
from pushd.model.event import EventType
from pushd.model.timestamps import Now, milliseconds
from pushd.model.webhook import (
    MAX_DELIVERIES,
    MAX_OLD_SECRETS,
    MAX_WEBHOOKS,
    Attempt,
    Delivery,
    Progress,
    Secret,
    Subscription,
    Webhook,
)
from pushd.store.rows import reading
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions import alerts
from pushd.store.transactions.queries import last_event

_PLAIN = (
    "id url parallel created_at cursor disabled_at disabled_reason failing_since next_attempt_at"  # as they are stored
).split()
_LISTED = ", ".join([*_PLAIN, "types", "tags", "revision", "failing"])
_LISTS = ("types", "tags")

_ONE = Statement("look up a webhook", f"SELECT {_LISTED} FROM webhook WHERE id = :id")
_ALL = Statement("read all webhooks", f"SELECT {_LISTED} FROM webhook ORDER BY id")
_PAGE = Statement(
    "list webhooks", f"SELECT {_LISTED} FROM webhook WHERE id > COALESCE(:after, '') ORDER BY id LIMIT :limit"
)
_COUNT = Statement("count webhooks", "SELECT COUNT(*) AS known FROM webhook")
_INSERT = Statement(
    "add a webhook",
    "INSERT INTO webhook (id, url, types, tags, parallel, created_at, cursor)"
    " VALUES (:id, :url, :types, :tags, :parallel, :created_at, :cursor)",
)


def add(tx: ITransaction, webhook: Webhook, secret: str) -> Subscription:
    """See :meth:`IWebhookStore.add_webhook`."""
    if tx.rows(_COUNT)[0]["known"] >= MAX_WEBHOOKS:
        raise TooManyWebhooks(f"There are {MAX_WEBHOOKS} webhooks already; delete one that is no longer needed.")
    fields = ("id", "url", *_LISTS, "parallel", "created_at")
    chosen = _stored({name: getattr(webhook, name) for name in fields})
    tx.run(_INSERT, cursor=last_event(tx), **chosen)
    tx.run(_ADD_SECRET, webhook=webhook.id, secret=secret)
    return _subscription(tx, webhook.id)


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in _LISTS else value for name, value in fields.items()}


_REVISE = "UPDATE webhook SET revision = revision + 1, {sets} WHERE id = :id"
_NOT_FAILING = "failing = NULL, failing_since = NULL, next_attempt_at = NULL"


def change(tx: ITransaction, webhook: str, changes: Mapping[str, Any]) -> Subscription:
    """See :meth:`IWebhookStore.change_webhook`."""
    _look_up(tx, webhook)
    sets = [f"{name} = :{name}" for name in ("url", *_LISTS, "parallel") if name in changes]
    if "url" in changes:
        sets.append(_NOT_FAILING)
    if sets:
        tx.run(Statement("change a webhook", _REVISE.format(sets=", ".join(sets))), id=webhook, **_stored(changes))
    return _subscription(tx, webhook)


_DELETES = tuple(
    Statement(f"delete a webhook's {what}", f"DELETE FROM {table} WHERE {key} = :id")
    for what, table, key in (
        ("log", "delivery", "webhook"),
        ("secrets", "webhook_secret", "webhook"),
        ("subscription", "webhook", "id"),
    )
)


def delete(tx: ITransaction, webhook: str, now: Now) -> None:
    """See :meth:`IWebhookStore.delete_webhook`."""
    _look_up(tx, webhook)
    for statement in _DELETES:
        tx.run(statement, id=webhook)
    alerts.clear_webhook(tx, now, webhook)


_ADD_SECRET = Statement(
    "add a webhook's secret", "INSERT INTO webhook_secret (webhook, secret) VALUES (:webhook, :secret)"
)
_RETIRE = Statement(
    "retire a webhook's secret",
    "UPDATE webhook_secret SET expires_at = :until WHERE webhook = :webhook AND expires_at IS NULL",
)
_DROP_OLD = Statement(
    "drop a webhook's old secrets",
    "DELETE FROM webhook_secret WHERE webhook = :webhook AND (expires_at <= :now OR id <= ("
    "SELECT id FROM webhook_secret WHERE webhook = :webhook ORDER BY id DESC LIMIT 1 OFFSET :most))",
)
_SECRETS = Statement(
    "look up a webhook's secrets",
    "SELECT secret, expires_at FROM webhook_secret WHERE webhook = :webhook ORDER BY id DESC",
)
_TOUCH = Statement("change a webhook", "UPDATE webhook SET revision = revision + 1 WHERE id = :id")


def rotate(tx: ITransaction, webhook: str, secret: str, overlap: float, now: Now) -> Subscription:
    """See :meth:`IWebhookStore.rotate_secret`."""
    _look_up(tx, webhook)
    tx.run(_RETIRE, webhook=webhook, until=now.wall + milliseconds(overlap))
    tx.run(_DROP_OLD, webhook=webhook, now=now.wall, most=MAX_OLD_SECRETS)
    tx.run(_ADD_SECRET, webhook=webhook, secret=secret)
    tx.run(_TOUCH, id=webhook)
    return _subscription(tx, webhook)


_REDELIVER = Statement(
    "enable a webhook",
    _REVISE.format(sets=f"cursor = :cursor, disabled_at = NULL, disabled_reason = NULL, {_NOT_FAILING}"),
)


def redeliver(tx: ITransaction, webhook: str, after: int | None, now: Now) -> Subscription:
    """See :meth:`IWebhookStore.redeliver`."""
    row = _look_up(tx, webhook)
    if after is not None and after > last_event(tx):
        raise InvalidFields([FieldError("#/after", "No event has this seq yet.")])
    tx.run(_REDELIVER, id=webhook, cursor=row["cursor"] if after is None else after)
    alerts.clear_webhook(tx, now, webhook)
    return _subscription(tx, webhook)


_PROGRESS = Statement(
    "write how far a webhook got",
    "UPDATE webhook SET cursor = :cursor, failing = :failing, failing_since = :since, next_attempt_at = :next"
    " WHERE id = :id AND revision = :revision AND disabled_at IS NULL",
)
_LOG = Statement(
    "log a delivery",
    "INSERT INTO delivery (webhook, seq, at, duration, status, error)"
    " VALUES (:webhook, :seq, :at, :duration, :status, :error)",
)
_TRIM = Statement(
    "trim the log of a webhook",
    "DELETE FROM delivery WHERE webhook = :webhook AND id <= ("
    "SELECT id FROM delivery WHERE webhook = :webhook ORDER BY id DESC LIMIT 1 OFFSET :most)",
)


def save_progress(tx: ITransaction, progress: Progress, attempt: Attempt | None) -> bool:
    """See :meth:`IWebhookStore.save_progress`."""
    failing = progress.failing
    written = tx.run(
        _PROGRESS,
        id=progress.webhook,
        revision=progress.revision,
        cursor=progress.cursor,
        failing=failing and failing.seq,
        since=failing and failing.since,
        next=failing and failing.next_attempt_at,
    )
    if written and attempt is not None:
        tx.run(_LOG, webhook=progress.webhook, **asdict(attempt))
        tx.run(_TRIM, webhook=progress.webhook, most=MAX_DELIVERIES)
    return bool(written)


_DISABLE = Statement(
    "disable a webhook",
    "UPDATE webhook SET disabled_at = :now, disabled_reason = :reason, next_attempt_at = NULL,"
    " revision = revision + 1 WHERE id = :id",
)


def disable(tx: ITransaction, progress: Progress, attempt: Attempt, reason: str, rules: AlertRules, now: Now) -> bool:
    """See :meth:`IWebhookStore.disable_webhook`."""
    if not save_progress(tx, progress, attempt):
        return False
    webhook = progress.webhook
    tx.run(_DISABLE, id=webhook, now=now.wall, reason=reason)
    record(tx, now, EventType.WEBHOOK_FAILED, None, webhook=webhook, reason=reason, seq=str(attempt.seq))
    alerts.raise_webhook(tx, now, webhook, rules)
    return True


def webhook(tx: ITransaction, webhook: str) -> Webhook:
    """See :meth:`IWebhookStore.webhook`."""
    return _webhook(_look_up(tx, webhook))


def webhooks(tx: ITransaction, after: str | None, limit: int) -> list[Webhook]:
    """See :meth:`IWebhookStore.webhooks`."""
    return [_webhook(row) for row in tx.rows(_PAGE, after=after, limit=limit)]


def subscriptions(tx: ITransaction) -> list[Subscription]:
    """See :meth:`IWebhookStore.subscriptions`."""
    return [_subscription(tx, row["id"]) for row in tx.rows(_ALL)]


_DELIVERIES = Statement(
    "list deliveries",
    "SELECT id, seq, at, duration, status, error FROM delivery"
    " WHERE webhook = :webhook AND (:before IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",
)


def deliveries(tx: ITransaction, webhook: str, before: int | None, limit: int) -> list[Delivery]:
    """See :meth:`IWebhookStore.deliveries`."""
    _look_up(tx, webhook)
    rows = tx.rows(_DELIVERIES, webhook=webhook, before=before, limit=limit)
    names = ("seq", "at", "duration", "status", "error")
    return [Delivery(id=row["id"], attempt=Attempt(**{name: row[name] for name in names})) for row in rows]


def _look_up(tx: ITransaction, webhook: str) -> Row:
    row = first(tx, _ONE, id=webhook)
    if row is None:
        raise UnknownWebhook(f"No webhook {webhook} is known.")
    return row


def _subscription(tx: ITransaction, webhook: str) -> Subscription:
    row = _look_up(tx, webhook)
    secrets = (Secret(text=one["secret"], expires_at=one["expires_at"]) for one in tx.rows(_SECRETS, webhook=webhook))
    return Subscription(
        webhook=_webhook(row), revision=row["revision"], failing=row["failing"], secrets=tuple(secrets)
    )


@reading("A webhook")
def _webhook(row: Row) -> Webhook:
    return Webhook(
        types=tuple(EventType(kind) for kind in json.loads(row["types"])),
        tags=tuple(json.loads(row["tags"])),
        **{name: row[name] for name in _PLAIN},
    )
