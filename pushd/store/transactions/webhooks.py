"""Webhooks: subscriptions, signing secrets, progress of delivery, and the delivery log."""

import json
from collections.abc import Mapping
from typing import Any

from attrs import asdict

from pushd.model.alert import AlertRules
from pushd.model.audit import Fields, changed
from pushd.model.errors import FieldError, InvalidFields, TooManyWebhooks, UnknownWebhook
from pushd.model.event import EventType
from pushd.model.timestamps import milliseconds
from pushd.model.webhook import (
    MAX_DELIVERIES,
    MAX_OLD_SECRETS,
    MAX_WEBHOOKS,
    Attempt,
    LoggedAttempt,
    Progress,
    Secret,
    Subscription,
    Webhook,
    WebhookFormat,
    masked_url,
)
from pushd.store.ownership import OwnedWebhooks
from pushd.store.rows import report_corruption, to_columns
from pushd.store.transaction import ITransaction, Row, Statement, first, record
from pushd.store.transactions import alerts
from pushd.store.transactions.audit import record_audit
from pushd.store.transactions.epochs import event_id
from pushd.store.transactions.queries import last_event

_SCALARS = (
    "id url parallel created_at cursor disabled_at disabled_reason failing_since next_attempt_at"  # stored as they are
).split()
_JSON_COLUMNS = ("types", "devices", "sites", "tags")
_CHANGEABLE = ("url", "format", *_JSON_COLUMNS, "include_result", "parallel")
_COLUMNS = ", ".join([*_SCALARS, *_JSON_COLUMNS, "format", "include_result", "revision", "failing"])
_ADDED = ("id", *_CHANGEABLE, "created_at")

_BY_ID = Statement("look up a webhook", f"SELECT {_COLUMNS} FROM webhook WHERE id = :id")
_ALL = Statement("read all webhooks", f"SELECT {_COLUMNS} FROM webhook ORDER BY id")
_PAGE = Statement(
    "list webhooks", f"SELECT {_COLUMNS} FROM webhook WHERE id > COALESCE(:after, '') ORDER BY id LIMIT :limit"
)
_COUNT = Statement("count webhooks", "SELECT COUNT(*) AS known FROM webhook")
_INSERT = Statement(
    "add a webhook",
    f"INSERT INTO webhook ({', '.join(_ADDED)}, cursor) VALUES ({', '.join(f':{name}' for name in _ADDED)}, :cursor)",
)


def add_webhook(tx: ITransaction, webhook: Webhook, secret: str) -> Subscription:
    """Add a webhook that receives events from the next one on."""
    if tx.rows(_COUNT)[0]["known"] >= MAX_WEBHOOKS:
        raise TooManyWebhooks(f"There are {MAX_WEBHOOKS} webhooks already; delete one that is no longer needed.")
    chosen = to_columns({name: getattr(webhook, name) for name in _ADDED}, _JSON_COLUMNS)
    tx.run(_INSERT, cursor=last_event(tx), **chosen)
    tx.run(_ADD_SECRET, webhook=webhook.id, secret=secret)
    record_audit(tx, "webhook.add", f"webhook:{webhook.id}", None, _shown(_audited(webhook)))
    return _subscription(tx, _look_up(tx, webhook.id))


def _audited(webhook: Webhook) -> Fields:
    """A webhook as the audit log compares it."""
    return {name: getattr(webhook, name) for name in _CHANGEABLE}


def _shown(fields: Fields) -> Fields:
    """Fields of a webhook as the audit log has them: the URL is a secret."""
    return {name: masked_url(value) if name == "url" else value for name, value in fields.items()}


_REVISE = "UPDATE webhook SET revision = revision + 1, {sets} WHERE id = :id"
_NOT_FAILING = "failing = NULL, failing_since = NULL, next_attempt_at = NULL"


def change_webhook(tx: ITransaction, webhook: str, changes: Mapping[str, Any]) -> Subscription:
    """Change fields of a webhook; another URL ends the backoff."""
    before = get_webhook(tx, webhook)
    sets = [f"{name} = :{name}" for name in _CHANGEABLE if name in changes]
    if "url" in changes:
        sets.append(_NOT_FAILING)
    if sets:
        tx.run(
            Statement("change a webhook", _REVISE.format(sets=", ".join(sets))),
            id=webhook,
            **to_columns(changes, _JSON_COLUMNS),
        )
    differing = changed(_audited(before), _audited(get_webhook(tx, webhook)))
    if any(differing):
        record_audit(tx, "webhook.change", f"webhook:{webhook}", *map(_shown, differing))
    return _subscription(tx, _look_up(tx, webhook))


_DELETES = tuple(
    Statement(f"delete a webhook's {what}", f"DELETE FROM {table} WHERE {key} = :id")
    for what, table, key in (
        ("log", "delivery", "webhook"),
        ("secrets", "webhook_secret", "webhook"),
        ("subscription", "webhook", "id"),
    )
)


def delete_webhook(tx: ITransaction, webhook: str) -> None:
    """Delete a webhook with its secrets and log, and clear the alert about it."""
    before = get_webhook(tx, webhook)
    for statement in _DELETES:
        tx.run(statement, id=webhook)
    alerts.clear_webhook(tx, webhook)
    record_audit(tx, "webhook.delete", f"webhook:{webhook}", _shown(_audited(before)))


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
_COUNT_REVISION = Statement("change a webhook", "UPDATE webhook SET revision = revision + 1 WHERE id = :id")


def rotate_secret(tx: ITransaction, webhook: str, secret: str, overlap: float) -> Subscription:
    """Add a secret; the current one expires after ``overlap`` seconds."""
    _look_up(tx, webhook)
    tx.run(_RETIRE, webhook=webhook, until=tx.now.elapsed + milliseconds(overlap))
    tx.run(_DROP_OLD, webhook=webhook, now=tx.now.elapsed, most=MAX_OLD_SECRETS)
    tx.run(_ADD_SECRET, webhook=webhook, secret=secret)
    tx.run(_COUNT_REVISION, id=webhook)
    record_audit(tx, "webhook.rotate_secret", f"webhook:{webhook}", None, {"overlap": overlap})
    return _subscription(tx, _look_up(tx, webhook))


_REDELIVER = Statement(
    "enable a webhook",
    _REVISE.format(sets=f"cursor = :cursor, disabled_at = NULL, disabled_reason = NULL, {_NOT_FAILING}"),
)


def redeliver(tx: ITransaction, webhook: str, after: int | None) -> Subscription:
    """Enable a webhook, and deliver from its cursor, or from ``after``, on."""
    row = _look_up(tx, webhook)
    if after is not None and after > last_event(tx):
        raise InvalidFields([FieldError("#/after", "must be the seq of an event; there is no such event yet")])
    tx.run(_REDELIVER, id=webhook, cursor=row["cursor"] if after is None else after)
    alerts.clear_webhook(tx, webhook)
    from_event = None if after is None else event_id(tx, after)
    disabled = {"disabled_reason": row["disabled_reason"]} if row["disabled_at"] else None
    record_audit(tx, "webhook.redeliver", f"webhook:{webhook}", disabled, {"after": from_event})
    return _subscription(tx, _look_up(tx, webhook))


_PROGRESS = Statement(
    "save the progress of a webhook",
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
    """Save the cursor and the latest attempt; False if the webhook has another revision meanwhile."""
    failing = progress.failing
    saved = tx.run(
        _PROGRESS,
        id=progress.webhook,
        revision=progress.revision,
        cursor=progress.cursor,
        failing=failing and failing.seq,
        since=failing and failing.since,
        next=failing and failing.next_attempt_at,
    )
    if saved and attempt is not None:
        tx.run(_LOG, webhook=progress.webhook, **asdict(attempt))
        tx.run(_TRIM, webhook=progress.webhook, most=MAX_DELIVERIES)
    return bool(saved)


_DISABLE = Statement(
    "disable a webhook",
    "UPDATE webhook SET disabled_at = :now, disabled_reason = :reason, next_attempt_at = NULL,"
    " revision = revision + 1 WHERE id = :id",
)


def disable_webhook(tx: ITransaction, progress: Progress, attempt: Attempt, reason: str, rules: AlertRules) -> bool:
    """Save progress and disable a webhook, with an event and an alert; False as :func:`save_progress`."""
    if not save_progress(tx, progress, attempt):
        return False
    webhook = progress.webhook
    tx.run(_DISABLE, id=webhook, now=tx.now.wall, reason=reason)
    record(tx, EventType.WEBHOOK_FAILED, None, webhook=webhook, reason=reason, seq=event_id(tx, attempt.seq))
    alerts.raise_webhook(tx, webhook, rules)
    return True


def get_webhook(tx: ITransaction, webhook: str) -> Webhook:
    """A webhook by its id."""
    return _webhook(_look_up(tx, webhook))


def list_webhooks(tx: ITransaction, after: str | None, limit: int) -> list[Webhook]:
    """A page of webhooks, by id."""
    return [_webhook(row) for row in tx.rows(_PAGE, after=after, limit=limit)]


def get_subscription(tx: ITransaction, webhook: str) -> Subscription:
    """A webhook by its id, with its secrets."""
    return _subscription(tx, _look_up(tx, webhook))


def list_subscriptions(tx: ITransaction) -> list[Subscription]:
    """All webhooks with their secrets."""
    return [_subscription(tx, row) for row in tx.rows(_ALL)]


def own_webhooks(tx: ITransaction, held: Mapping[str, int]) -> OwnedWebhooks:
    """All webhooks: no other process delivers any. ``held`` has the known revisions."""
    found = list_subscriptions(tx)
    changed = [each for each in found if held.get(each.webhook.id) != each.revision]
    return OwnedWebhooks(ids={each.webhook.id for each in found}, changed=changed)


_DELIVERIES = Statement(
    "list deliveries",
    "SELECT id, seq, at, duration, status, error FROM delivery"
    " WHERE webhook = :webhook AND id < COALESCE(:before, id + 1) ORDER BY id DESC LIMIT :limit",
)


def list_deliveries(tx: ITransaction, webhook: str, before: int | None, limit: int) -> list[LoggedAttempt]:
    """A page of the delivery log, newest first."""
    _look_up(tx, webhook)
    rows = tx.rows(_DELIVERIES, webhook=webhook, before=before, limit=limit)
    names = ("seq", "at", "duration", "status", "error")
    return [LoggedAttempt(id=row["id"], attempt=Attempt(**{name: row[name] for name in names})) for row in rows]


def _look_up(tx: ITransaction, webhook: str) -> Row:
    row = first(tx, _BY_ID, id=webhook)
    if row is None:
        raise UnknownWebhook(f"No webhook {webhook} is known.")
    return row


def _subscription(tx: ITransaction, row: Row) -> Subscription:
    secrets = tx.rows(_SECRETS, webhook=row["id"])
    return Subscription(
        webhook=_webhook(row),
        revision=row["revision"],
        failing=row["failing"],
        secrets=tuple(Secret(text=each["secret"], expires_at=each["expires_at"]) for each in secrets),
    )


@report_corruption("A webhook")
def _webhook(row: Row) -> Webhook:
    return Webhook(
        types=tuple(EventType(kind) for kind in json.loads(row["types"])),
        devices=tuple(json.loads(row["devices"])),
        sites=tuple(json.loads(row["sites"])),
        tags=tuple(json.loads(row["tags"])),
        format=WebhookFormat(row["format"]),
        include_result=bool(row["include_result"]),
        **{name: row[name] for name in _SCALARS},
    )
