"""Ownership of webhooks and mails: taken, renewed and given up by guarded updates."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pushd.model.timestamps import milliseconds
from pushd.model.webhook import MAX_WEBHOOKS
from pushd.store.ownership import OWNED_SECONDS, OwnedWebhooks
from pushd.store.postgres.node import DEAD
from pushd.store.transaction import ITransaction, Statement, first
from pushd.store.transactions import webhooks

OWNED = milliseconds(OWNED_SECONDS)
"""Milliseconds for which a node owns something from its latest renewal on."""

MAILS = "mails"
"""The name of what is owned by the node that mails alerts."""

_RENEW = Statement(
    "renew the ownership of webhooks",
    "UPDATE webhook SET owner_until = :until"
    " WHERE owner = :owner AND owner_until > :now AND disabled_at IS NULL RETURNING id, revision",
)
# Read first, for an update with a limit in a condition may read again what it has changed.
_TAKE = Statement(
    "take the ownership of webhooks",
    "WITH free AS MATERIALIZED (SELECT id FROM webhook WHERE owner_until <= :free_since AND disabled_at IS NULL"
    " ORDER BY owner_until, id LIMIT :limit FOR UPDATE SKIP LOCKED)"
    " UPDATE webhook SET owner = :owner, owner_until = :until, revision = revision + 1"
    " FROM free WHERE webhook.id = free.id RETURNING webhook.id AS id, revision",
)
_COUNT = Statement(
    "count webhooks and nodes",
    "SELECT (SELECT COUNT(*) FROM webhook WHERE disabled_at IS NULL) AS webhooks,"
    f" (SELECT COUNT(*) FROM node WHERE beat >= (SELECT beat - lost_ms FROM service) - {DEAD}) AS nodes",
)


def own_webhooks(tx: ITransaction, owner: str, held: Mapping[str, int]) -> OwnedWebhooks:
    """Renew the ownership of webhooks, and take free ones up to this node's share of them.

    One that has been free for as long as a node owns it is taken beyond that: others had the time to take it. ``held``
    has the revisions that the node knows.
    """
    now = tx.now.steady
    values = {"owner": owner, "until": now + OWNED}
    owned = {row["id"]: row["revision"] for row in tx.rows(_RENEW, now=now, **values)}
    counts = tx.rows(_COUNT)[0]
    share = max(-(-counts["webhooks"] // max(counts["nodes"], 1)), 1)
    for limit, free_since in ((max(share - len(owned), 0), now), (MAX_WEBHOOKS, now - OWNED)):
        taken = tx.rows(_TAKE, limit=limit, free_since=free_since, **values)
        owned |= {row["id"]: row["revision"] for row in taken}
    changed = [webhook for webhook, revision in owned.items() if held.get(webhook) != revision]
    return OwnedWebhooks(
        ids=owned.keys(), changed=[webhooks.get_subscription(tx, webhook) for webhook in changed], share=share
    )


_GIVE_UP = Statement(
    "give up webhooks",
    "UPDATE webhook SET owner = NULL, owner_until = :now"
    " WHERE owner = :owner AND id IN (SELECT value FROM json_each(:webhooks))",
)


def give_up_webhooks(tx: ITransaction, owner: str, given_up: Collection[str]) -> None:
    """Let other nodes take webhooks at once."""
    tx.run(_GIVE_UP, owner=owner, now=tx.now.steady, webhooks=json.dumps(list(given_up)))


_GIVE_UP_ALL = tuple(
    Statement(
        "give up webhooks and mails",
        f"UPDATE {table} SET owner = NULL, owner_until = :now WHERE split_part(owner, ' ', 1) = :node",
    )
    for table in ("webhook", "mail_owner")
)


def give_up_all(tx: ITransaction, node: str) -> None:
    """Let all nodes take at once what processes with this name own: they have ended, or do so."""
    for statement in _GIVE_UP_ALL:
        tx.run(statement, node=node, now=tx.now.steady)


_OWN_MAILS = Statement(
    "own the mails",
    "UPDATE mail_owner SET owner = :owner, owner_until = :until WHERE owner = :owner OR owner_until <= :now",
)


def own_mails(tx: ITransaction, owner: str) -> bool:
    """Renew, or take, the ownership of mails; whether the node owns them."""
    return bool(tx.run(_OWN_MAILS, owner=owner, until=tx.now.steady + OWNED, now=tx.now.steady))


_LOCK_MAILS = Statement(
    "check which node owns the mails", "SELECT owner IS NULL OR owner = :owner AS is_free FROM mail_owner FOR SHARE"
)


def as_mail_owner(tx: ITransaction, owner: str, operation: Callable[..., Any], *args: Any) -> bool:
    """Run an operation unless another node owns the mails; whether it was run."""
    if not tx.rows(_LOCK_MAILS, owner=owner)[0]["is_free"]:
        return False
    operation(tx, *args)
    return True


_UNOWNED_WEBHOOKS = Statement(
    "find webhooks that no node delivers",
    "SELECT id FROM webhook WHERE owner_until <= :since AND disabled_at IS NULL"
    " AND cursor < (SELECT last FROM feed) ORDER BY id",
)
_UNOWNED_MAILS = Statement(
    "find mails that no node sends",
    "SELECT 1 AS found FROM mail_owner WHERE owner_until <= :since"
    " AND EXISTS (SELECT 1 FROM alert WHERE mail_at <= :due)",
)


def unowned(tx: ITransaction, seconds: float) -> Sequence[str]:
    """What has something to send, and has been owned by no node for that long."""
    waited = milliseconds(seconds)
    since = tx.now.steady - waited
    found = [f"webhook {row['id']}" for row in tx.rows(_UNOWNED_WEBHOOKS, since=since)]
    has_mails = first(tx, _UNOWNED_MAILS, since=since, due=tx.now.elapsed - waited) is not None
    return [*found, MAILS] if has_mails else found
