"""Print each command that did not succeed, once, also over restarts of this program."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

API, TOKEN = os.environ["API"], os.environ["TOKEN"]
POSITION = Path("seen.seq")


def follow(seq):
    """Print the events of a stream after the given one, until the stream ends."""
    request = urllib.request.Request(
        f"{API}/v1/events/stream?type=command.failed,command.expired,command.unknown",
        headers={"Authorization": f"Bearer {TOKEN}", "Last-Event-ID": seq},
    )
    with urllib.request.urlopen(request, timeout=45) as stream:
        for line in stream:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                seq = value
            elif name == "data":
                event = json.loads(value)
                print(event["at"], event["type"], event["command"], flush=True)
            elif not name:  # an empty line ends the event
                POSITION.write_text(seq)


pause = 1
while True:
    try:
        follow(POSITION.read_text() if POSITION.exists() else "0")
        pause = 1
    except urllib.error.HTTPError as refusal:
        if refusal.code < 500:
            raise  # 410: events were missed, start again
    except (OSError, http.client.HTTPException):
        pass  # the server is down
    time.sleep(pause)
    pause = min(2 * pause, 30)
