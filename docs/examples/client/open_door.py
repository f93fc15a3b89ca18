"""Open a door, and say what became of it."""

from pathlib import Path

from pushd.client import Client, Outcome

token = Path("pushd-data/admin.token").read_text()
with Client("http://127.0.0.1:8081", token) as client:
    reader = client.change("controlid:4408801109440198", name="Main gate", facts={"model": "iDAccess"})
    opening = client.open(reader.id, trace="ticket 4711")
    print(opening.detail)
    if opening.outcome == Outcome.UNKNOWN:
        print("It may still open:", client.wait(opening.command.id, timeout=60).state)
