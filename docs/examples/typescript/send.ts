// Sends a command, waits for its outcome, and reads the events about it.
import type { components, operations } from "./pushd.js";

type Command = components["schemas"]["Command"];
type Problem = components["schemas"]["Problem"];
type Page = components["schemas"]["EventList"];
type Event = components["schemas"]["Event"];
type SendQuery = NonNullable<operations["commands_send"]["parameters"]["query"]>;

declare const process: { env: Record<string, string | undefined> };
const { API = "http://127.0.0.1:8081", TOKEN = "", DEVICE = "controlid:4408801109440198" } = process.env;

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = { Authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(API + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  if (!answer.ok) {
    const problem = (await answer.json()) as Problem;
    throw new Error(`${problem.type}: ${problem.detail}`);
  }
  return (await answer.json()) as T;
}

async function send(device: string, request: components["schemas"]["SendRequest"], query: SendQuery): Promise<Command> {
  const parameters = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return await call("POST", `/v1/devices/${encodeURIComponent(device)}/commands?${parameters}`, request);
}

function line(event: Event): string {
  switch (event.type) { // which says what the data has
    case "command.sent":
      return `${event.type}: attempt ${event.data.attempt}`;
    case "command.failed":
    case "command.unknown":
      return `${event.type}: ${event.data.error}`;
    default:
      return event.type;
  }
}

const sent = await send(DEVICE, { payload: { endpoint: "load_objects", body: { object: "users" } }, ttl: 60 }, { wait: 1 });
let after = "0";
for (;;) {
  const page: Page = await call("GET", `/v1/events?device=${encodeURIComponent(DEVICE)}&after=${after}&wait=1`);
  for (const event of page.items.filter((each) => each.command === sent.id)) {
    console.log(line(event));
  }
  if (page.items.length === 0) break;
  after = page.next;
}
console.log(`${sent.id} is ${sent.state}`);
