"""Receive webhooks on port 9000, and print those that are signed with the secret that it is started with."""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from pushd.client import InvalidSignature, read_webhook

seen: set[str] = set()


class Receiver(BaseHTTPRequestHandler):
    """Takes messages."""

    def do_POST(self) -> None:
        """A message."""
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            message = read_webhook(sys.argv[1], dict(self.headers), body)
        except InvalidSignature as error:
            self.send_error(401, str(error))
            return
        if message.id not in seen:  # the same event may come twice
            seen.add(message.id)
            print(message.event.type, message.event.device, flush=True)
        self.send_response(204)
        self.end_headers()


HTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()
