"""A web application that opens a door, and takes the webhooks of pushd."""

import os
import uuid

import requests
from flask import Flask, request
from standardwebhooks import Webhook, WebhookVerificationError

READER = "controlid:4408801109440198"
OPEN = f"{os.environ['PUSHD_URL']}/v1/devices/{READER}/open"
TOKEN = os.environ["PUSHD_TOKEN"]
WEBHOOK = Webhook(os.environ["WEBHOOK_SECRET"])

app = Flask(__name__)


@app.post("/open")  # put this behind the log-in of your application
def open_door():
    """Open the door, and say what became of it."""
    key = str(uuid.uuid4())
    outcome, detail = ask_once(key)
    if outcome == "unknown":  # a second request with the same key does not open twice
        outcome, detail = ask_once(key)
    return {"outcome": outcome, "detail": detail}


def ask_once(key):
    """The outcome, which is opened, not_opened or unknown, and a sentence for people."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
    try:
        response = requests.post(OPEN, headers=headers, timeout=15)  # pushd answers within ten seconds
        answer = response.json()
    except requests.RequestException as error:
        app.logger.warning("no answer of pushd: %s", error)
        return "unknown", "There was no answer: look whether the door has opened."
    if response.status_code >= 500:
        return "unknown", answer["detail"]
    if response.status_code >= 400:  # nothing was sent; a 409 says why it cannot be opened now
        return "not_opened", answer["detail"]
    return answer["outcome"], answer["detail"]


@app.post("/events")
def take_event():
    """Take a webhook message, if pushd has signed it."""
    try:
        event = WEBHOOK.verify(request.get_data(), request.headers)["data"]
    except (WebhookVerificationError, ValueError):  # ValueError: the signature is not even base64
        return "", 401
    app.logger.warning("%s %s %s", request.headers["webhook-id"], event["type"], event["device"])
    return "", 204  # the same webhook-id may come again
