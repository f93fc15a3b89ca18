"""A simple durable server: Klein, and one SQLite transaction for each step, on the disk before its answer."""

import json
import sqlite3
import sys
import time
import uuid
from typing import Any

from klein import Klein
from twisted.internet import endpoints, reactor
from twisted.internet.defer import Deferred
from twisted.web.server import Site

IDLE = json.dumps({"success": False, "message": "no message"}).encode()
ACCEPTED = json.dumps({"success": True, "message": "taken"}).encode()

hold = float(sys.argv[2])
database = sqlite3.connect(sys.argv[3], isolation_level=None)
database.executescript(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "CREATE TABLE command (id TEXT PRIMARY KEY, device TEXT, state TEXT, payload TEXT, at REAL, result TEXT);"
    "CREATE INDEX queue ON command (device, id) WHERE state = 'queued';"
)
waiting: dict[str, "Deferred[None]"] = {}
app = Klein()


def write(statement: str, *values: object) -> list[Any]:
    """Run one statement in a transaction."""
    database.execute("BEGIN IMMEDIATE")
    rows = database.execute(statement, values).fetchall()
    database.execute("COMMIT")
    return rows


def claim(device: str) -> bytes | None:
    """Claim the next command."""
    here = database.execute("SELECT id FROM command WHERE device = ? AND state = 'queued' LIMIT 1", (device,))
    row = here.fetchone()
    if row is None:
        return None
    rows = write("UPDATE command SET state = 'sent', at = ? WHERE id = ? RETURNING payload", time.time(), row[0])
    data = {"containerId": device, "messageId": row[0], **json.loads(rows[0][0])}
    return json.dumps({"success": True, "data": data}).encode()


@app.route("/push/<device>", methods=["GET"])
def poll(request: Any, device: str) -> Any:
    """Hold the poll until a command is put."""
    request.setHeader(b"content-type", b"application/json")
    message = claim(device)
    if message is not None or not hold:
        return message or IDLE
    deferred: Deferred[None] = Deferred()
    waiting[device] = deferred

    def ended(_: object) -> bytes:
        if waiting.get(device) is deferred:
            del waiting[device]
        return claim(device) or IDLE

    return deferred.addTimeout(hold, reactor).addBoth(ended)


@app.route("/v1/devices/<device>/commands", methods=["POST"])
def put(request: Any, device: str) -> bytes:
    """Save the command, and wake the poll."""
    container, name = device.partition(":")[2], str(uuid.uuid4())
    payload = json.dumps(json.loads(request.content.read())["payload"])
    write(
        "INSERT INTO command (id, device, state, payload, at) VALUES (?, ?, 'queued', ?, ?)",
        name,
        container,
        payload,
        time.time(),
    )
    deferred = waiting.pop(container, None)
    if deferred is not None:
        deferred.callback(None)
    request.setResponseCode(201)
    request.setHeader(b"content-type", b"application/json")
    return json.dumps({"id": name, "state": "queued"}).encode()


@app.route("/push/<device>/ack/<message>", methods=["POST"])
def acknowledge(request: Any, device: str, message: str) -> bytes:
    """Save that the device has acknowledged a command."""
    write("UPDATE command SET state = 'acknowledged', at = ? WHERE id = ? AND state = 'sent'", time.time(), message)
    request.setHeader(b"content-type", b"application/json")
    return ACCEPTED


@app.route("/push/<device>/result/<message>", methods=["POST"])
def result(request: Any, device: str, message: str) -> bytes:
    """Save a result."""
    body = request.content.read().decode()
    write("UPDATE command SET state = 'succeeded', at = ?, result = ? WHERE id = ?", time.time(), body, message)
    request.setHeader(b"content-type", b"application/json")
    return ACCEPTED


class QuietSite(Site):
    """A site without an access log."""

    def log(self, request: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    listening = endpoints.serverFromString(reactor, f"tcp:{sys.argv[1]}:interface=127.0.0.1:backlog=4096")
    listening.listen(QuietSite(app.resource()))
    reactor.run()
