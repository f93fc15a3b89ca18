"""Print each command that did not go well, once, for as long as this runs and whenever it is started again."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

API, TOKEN = os.environ["API"], os.environ["TOKEN"]
PLACE = Path("seen.seq")


def follow(seq):
    """Print what a stream tells from behind an event, until it ends."""
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
            elif not name:  # an empty line: that was all of it
                PLACE.write_text(seq)


pause = 1
while True:
    try:
        follow(PLACE.read_text() if PLACE.exists() else "0")
        pause = 1
    except urllib.error.HTTPError as refusal:
        if refusal.code < 500:
            raise  # 410: events were missed, begin anew
    except (OSError, http.client.HTTPException):
        pass  # the server is away
    time.sleep(pause)
    pause = min(2 * pause, 30)
