// A poll server on Express, in the shape that vendors' examples and most integrators' servers have: node express.js PORT HOLD
"use strict";

const crypto = require("crypto");
const express = require("express");
const http = require("http");

const hold = Number(process.argv[3]) * 1000;
const waiting = new Map();
const queues = new Map();
const idle = { success: false, message: "no message" };

const app = express();
app.use(express.json());

app.get("/push/:device", (req, res) => {
  const device = req.params.device;
  const queue = queues.get(device);
  if (queue && queue.length) return res.json(queue.shift());
  if (!hold) return res.json(idle);
  const end = (message) => {
    clearTimeout(timer);
    if (waiting.get(device) === end) waiting.delete(device);
    res.json(message);
  };
  const timer = setTimeout(() => end(idle), hold);
  waiting.set(device, end);
  req.on("close", () => {
    clearTimeout(timer);
    if (waiting.get(device) === end) waiting.delete(device);
  });
});

app.post("/push/:device/:what/:message", (req, res) => res.json({ success: true, message: "taken" }));

app.post("/v1/devices/:device/commands", (req, res) => {
  const device = req.params.device.split(":")[1];
  const id = crypto.randomUUID();
  const message = { success: true, data: { containerId: device, messageId: id, ...req.body.payload } };
  const end = waiting.get(device);
  if (end) end(message);
  else if (queues.has(device)) queues.get(device).push(message);
  else queues.set(device, [message]);
  res.status(201).json({ id, state: "queued" });
});

app.get("/v1/devices/:device", (req, res) => {
  const device = req.params.device.split(":")[1];
  res.json({ id: device, polling: waiting.has(device) });
});

const server = http.createServer(app).listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
server.keepAliveTimeout = 0; // a device may be silent for longer than Node's 5 s
server.requestTimeout = 0;
