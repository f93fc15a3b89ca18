"""Receives webhooks on port 9000, and prints what is signed with the secret that it is started with."""

import hashlib
import hmac
import json
import sys
import time
from base64 import b64decode, b64encode
from http.server import BaseHTTPRequestHandler, HTTPServer

KEY = b64decode(sys.argv[1].removeprefix("whsec_"))
TOLERANCE = 300
seen = set()


def verified(headers, body):
    """Whether one of the signatures is valid, and recent."""
    message, moment = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(moment)) > TOLERANCE:
        return False  # an old message is being replayed
    signed = f"{message}.{moment}.".encode() + body  # the bytes as they arrived, not parsed and serialized again
    expected = b"v1," + b64encode(hmac.digest(KEY, signed, hashlib.sha256))
    signatures = headers["webhook-signature"].encode().split(b" ")  # two while secrets overlap
    return any(hmac.compare_digest(expected, signature) for signature in signatures)


class Receiver(BaseHTTPRequestHandler):
    """Accepts verified messages, and prints them."""

    def do_POST(self):
        """A message."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if not verified(self.headers, body):
            return self.answer(401)
        if self.headers["webhook-id"] not in seen:  # the same event may come twice
            seen.add(self.headers["webhook-id"])
            event = json.loads(body)["data"]
            print(event["type"], event["device"], event["command"], flush=True)
        return self.answer(204)

    def answer(self, status):
        """An answer without a body."""
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        """Print messages, and nothing else."""


HTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()
