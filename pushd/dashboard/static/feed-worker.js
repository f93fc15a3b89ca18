/** One event stream for all tabs: a shared worker, with which each tab talks by a port of its own. */
import { FeedReader } from "./feed-reader.js";

/** @type {Set<MessagePort>} */
const ports = new Set();

const reader = new FeedReader((message) => {
  for (const port of ports) port.postMessage(message);
});
let hasStarted = false;

/** @param {MessagePort} port */
function join(port) {
  ports.add(port);
  if (!hasStarted || reader.state.state === "ended") {
    hasStarted = true;
    reader.start(); // a tab that joins has a session
  } else {
    if (reader.state.state === "live") port.postMessage({ kind: "reset" });
    port.postMessage({ kind: "state", state: reader.state });
  }
}

self.addEventListener("connect", (event) => {
  const port = /** @type {MessagePort} */ (/** @type {MessageEvent} */ (event).ports[0]);
  port.onmessage = ({ data }) => {
    if (data === "join") join(port);
    if (data === "restart") reader.start();
    if (data === "leave") {
      ports.delete(port);
      if (ports.size === 0) {
        reader.stop();
        hasStarted = false;
      }
    }
  };
});
