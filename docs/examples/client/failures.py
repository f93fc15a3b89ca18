"""Print each command that did not succeed, once, also over restarts of this program and of the server."""

from pathlib import Path

from pushd.client import Client, EventsPurged, EventType

POSITION = Path("position.txt")
FAILURES = (EventType.COMMAND_FAILED, EventType.COMMAND_EXPIRED, EventType.COMMAND_UNKNOWN)

token = Path("pushd-data/admin.token").read_text()
with Client("http://127.0.0.1:8081", token) as client:
    feed = client.events(after=POSITION.read_text() if POSITION.exists() else "0", types=FAILURES)
    try:
        for event in feed:
            endpoint, error = event.data.get("endpoint", "batch"), event.data.get("error")
            print(event.at, event.type, event.device, endpoint, error, flush=True)
            POSITION.write_text(feed.position)
    except EventsPurged as missed:
        print("Events were deleted before this program read them; remove", POSITION, missed.detail)
