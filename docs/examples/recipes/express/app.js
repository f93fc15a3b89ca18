// A web application that opens a door, and takes the webhooks of pushd.
const {randomUUID} = require("node:crypto");
const express = require("express");
const {Webhook} = require("standardwebhooks");

const READER = "controlid:4408801109440198";
const OPEN = `${process.env.PUSHD_URL}/v1/devices/${READER}/open`;
const TOKEN = process.env.PUSHD_TOKEN;
const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const app = express();

app.post("/open", async (request, response) => {  // put this behind the log-in of your application
  const key = randomUUID();
  let answer = await askOnce(key);
  if (answer.outcome === "unknown") answer = await askOnce(key);  // the same key: it does not open twice
  response.json(answer);
});

// The outcome, which is opened, not_opened or unknown, and a sentence for people.
async function askOnce(key) {
  const headers = {Authorization: `Bearer ${TOKEN}`, "Idempotency-Key": key};
  try {
    const signal = AbortSignal.timeout(15_000);  // pushd answers within ten seconds
    const response = await fetch(OPEN, {method: "POST", headers, signal});
    const {outcome, detail} = await response.json();
    if (response.ok) return {outcome, detail};
    return {outcome: response.status >= 500 ? "unknown" : "not_opened", detail};  // a 409 says why it cannot be opened
  } catch (error) {
    console.error("no answer of pushd:", error.cause ?? error);
    return {outcome: "unknown", detail: "There was no answer: look whether the door has opened."};
  }
}

app.post("/events", express.raw({type: "application/json", limit: "1mb"}), (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers).data;  // the bytes as they arrived
  } catch {
    return response.sendStatus(401);
  }
  console.log(request.headers["webhook-id"], event.type, event.device);
  response.sendStatus(204);  // the same webhook-id may come again
});

app.listen(process.env.PORT ?? 3000);
