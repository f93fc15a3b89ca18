"""A poll server on twisted.web alone: one resource, which holds the requests of polls."""

import json
import sys
import uuid
from collections import defaultdict, deque
from typing import Any

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

IDLE = json.dumps({"success": False, "message": "no message"}).encode()
ACCEPTED = json.dumps({"success": True, "message": "taken"}).encode()

hold = float(sys.argv[2])


class Polls(Resource):
    """Serves all paths; unknown ones are not requested."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, Any] = {}
        self.queues: defaultdict[str, deque[bytes]] = defaultdict(deque)

    def render_GET(self, request: Any) -> bytes | int:
        """Answer or hold a poll, or show a device to an operator."""
        kind, *_, device = [part.decode() for part in request.postpath]
        request.setHeader(b"content-type", b"application/json")
        if kind != "push":
            return _body(request, json.dumps({"id": device, "polling": True}).encode())
        queue = self.queues.get(device)
        if queue:
            return _body(request, queue.popleft())
        if not hold:
            return _body(request, IDLE)
        self.waiting[device] = request
        timeout = reactor.callLater(hold, self.answer, device, IDLE)
        request.notifyFinish().addBoth(self.forget, device, request, timeout)
        return NOT_DONE_YET

    def forget(self, _: object, device: str, request: Any, timeout: Any) -> None:
        """Forget a poll that has ended."""
        if timeout.active():
            timeout.cancel()
        if self.waiting.get(device) is request:
            del self.waiting[device]

    def answer(self, device: str, message: bytes) -> None:
        """Answer a held poll."""
        request = self.waiting.pop(device)
        request.write(_body(request, message))
        request.finish()

    def render_POST(self, request: Any) -> bytes:
        """Accept a command, an ack or a result."""
        request.setHeader(b"content-type", b"application/json")
        if request.postpath[0] == b"push":
            return _body(request, ACCEPTED)
        device = request.postpath[2].decode().partition(":")[2]
        name = str(uuid.uuid4())
        data = {"containerId": device, "messageId": name, **json.loads(request.content.read())["payload"]}
        message = json.dumps({"success": True, "data": data}).encode()
        if device in self.waiting:
            self.answer(device, message)
        else:
            self.queues[device].append(message)
        request.setResponseCode(201)
        return _body(request, json.dumps({"id": name, "state": "queued"}).encode())


def _body(request: Any, body: bytes) -> bytes:
    request.setHeader(b"content-length", b"%d" % len(body))
    return body


class QuietSite(Site):
    """A site without an access log."""

    def log(self, request: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    listening = endpoints.serverFromString(reactor, f"tcp:{sys.argv[1]}:interface=127.0.0.1:backlog=4096")
    listening.listen(QuietSite(Polls()))
    reactor.run()
