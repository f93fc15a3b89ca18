"""The front desk of an office: knows guests, and opens the door for them."""

from pushd.client import Client, ClientError, Outcome


def register(client: Client, reader: str, guest: str) -> bool:
    """Make a guest known to the reader; whether the reader has confirmed it."""
    values = [{"name": guest, "registration": guest}]
    payload = {"endpoint": "create_objects", "body": {"object": "users", "values": values}}
    return client.send(reader, payload, wait=5, then="cancel", lease=2, trace=guest).state == "succeeded"


def let_in(client: Client, reader: str, guest: str) -> str:
    """Open the door for a guest; what the screen shows."""
    try:
        opening = client.open(reader, trace=guest)
    except ClientError as error:
        return f"Please ask at the desk: {error}"
    if opening.outcome == Outcome.OPENED:
        return f"Welcome, {guest}."
    if opening.outcome == Outcome.NOT_OPENED:
        return "The door stays closed, please ask at the desk."
    return "Try the door; if it is closed, please ask at the desk."
