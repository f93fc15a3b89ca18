"""A poll server on unmodified Klein: a Deferred for each held poll."""

import json
import sys
import uuid
from collections import defaultdict, deque
from typing import Any

from klein import Klein
from twisted.internet import endpoints, reactor
from twisted.internet.defer import Deferred
from twisted.web.server import Site

IDLE = json.dumps({"success": False, "message": "no message"}).encode()
ACCEPTED = json.dumps({"success": True, "message": "taken"}).encode()

waiting: dict[str, "Deferred[bytes]"] = {}
queues: defaultdict[str, deque[bytes]] = defaultdict(deque)
hold = float(sys.argv[2])
app = Klein()


def forget(result: object, device: str, deferred: "Deferred[bytes]") -> object:
    """Forget a poll that has ended."""
    if waiting.get(device) is deferred:
        del waiting[device]
    return result


@app.route("/push/<device>", methods=["GET"])
def poll(request: Any, device: str) -> Any:
    """Hold the poll until a command is put."""
    request.setHeader(b"content-type", b"application/json")
    queue = queues.get(device)
    if queue:
        return queue.popleft()
    if not hold:
        return IDLE
    deferred: Deferred[bytes] = Deferred()
    waiting[device] = deferred
    deferred.addBoth(forget, device, deferred)
    return deferred.addTimeout(hold, reactor, onTimeoutCancel=lambda _result, _seconds: IDLE)


@app.route("/v1/devices/<device>/commands", methods=["POST"])
def put(request: Any, device: str) -> bytes:
    """Wake the poll, or keep the message for the next poll."""
    container = device.partition(":")[2]
    payload = json.loads(request.content.read())["payload"]
    name = str(uuid.uuid4())
    data = {"containerId": container, "messageId": name, **payload}
    message = json.dumps({"success": True, "data": data}).encode()
    deferred = waiting.pop(container, None)
    if deferred is not None:
        deferred.callback(message)
    else:
        queues[container].append(message)
    request.setResponseCode(201)
    request.setHeader(b"content-type", b"application/json")
    return json.dumps({"id": name, "state": "queued"}).encode()


@app.route("/push/<device>/<what>/<message>", methods=["POST"])
def take(request: Any, device: str, what: str, message: str) -> bytes:
    """Accept an ack or a result."""
    request.setHeader(b"content-type", b"application/json")
    return ACCEPTED


@app.route("/v1/devices/<device>", methods=["GET"])
def show(request: Any, device: str) -> bytes:
    """Show a device to an operator."""
    request.setHeader(b"content-type", b"application/json")
    container = device.partition(":")[2]
    return json.dumps({"id": container, "polling": container in waiting}).encode()


class QuietSite(Site):
    """A site without an access log."""

    def log(self, request: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    listening = endpoints.serverFromString(reactor, f"tcp:{sys.argv[1]}:interface=127.0.0.1:backlog=4096")
    listening.listen(QuietSite(app.resource()))
    reactor.run()
