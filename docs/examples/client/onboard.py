"""Give another program a token that only opens doors in Lisbon, and its receiver the events of these doors."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pushd.client import Client, EventType, Role

admin = Path("pushd-data/admin.token").read_text()
with Client("http://127.0.0.1:8081", admin) as client:
    expires = datetime.now(UTC) + timedelta(days=90)
    token = client.tokens.create("lobby", Role.OPERATOR, sites=["Lisbon"], endpoints=["open"], expires_at=expires)
    webhook = client.webhooks.add(
        "http://127.0.0.1:9000/events", sites=["Lisbon"], types=[EventType.COMMAND_SUCCEEDED, EventType.COMMAND_FAILED]
    )
    for name, secret in (("lobby.token", token.token), ("lobby.secret", webhook.secret)):
        Path(name).touch(mode=0o600)
        Path(name).write_text(secret)
    answer = client.webhooks.test(webhook.id)
    print("The receiver answered", answer.status or answer.error)
    for entry in client.audit(by="admin"):
        print(entry.action, entry.object, entry.from_)
