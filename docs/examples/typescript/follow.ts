// Follows the events: prints one line for each, and goes on when the connection was lost or the server restarted.
import type { components } from "./pushd.js";

type Event = components["schemas"]["Event"];
type Page = components["schemas"]["EventList"];
type Problem = components["schemas"]["Problem"];

declare const process: { env: Record<string, string | undefined> };
const { API = "http://127.0.0.1:8081", TOKEN = "", AFTER = "now" } = process.env;

class Refused extends Error {}

async function read(after: string): Promise<Page> {
  const answer = await fetch(`${API}/v1/events?after=${after}&wait=25`, {
    headers: { Authorization: `Bearer ${TOKEN}` },
    signal: AbortSignal.timeout(40_000), // also ends a connection that was lost without a sign
  });
  if (answer.ok) return (await answer.json()) as Page;
  if (answer.status >= 500) throw new Error(`the server answered ${answer.status}`);
  const problem = (await answer.json()) as Problem; // such as events-purged, whose `oldest` is where to continue
  throw new Refused(`${problem.type}: ${problem.detail}`);
}

function line(event: Event): string {
  switch (event.type) { // which says what the data has
    case "device.online":
      return `${event.device} is online, was ${event.data.after}`;
    case "command.failed":
      return `${event.device} failed: ${event.data.error}`;
    default:
      return `${event.type} ${event.device ?? ""}`;
  }
}

let after = AFTER; // store it after each page, and nothing is missed when this program restarts
for (;;) {
  try {
    const page = await read(after);
    page.items.forEach((event) => console.log(line(event)));
    after = page.next;
  } catch (error) {
    if (error instanceof Refused) throw error;
    console.error(`${error}; trying again`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
