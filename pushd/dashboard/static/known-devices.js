/**
 * Devices that are named somewhere: by commands, alerts and events, which have the id alone. Each is read when it is
 * first shown, and again when an event is about it.
 */
import { signal } from "@preact/signals";
import { ApiProblem, get, path } from "./api.js";
import { subscribe } from "./feed.js";
import { Refetcher } from "./refetch.js";
import { visible } from "./text.js";

/** @typedef {import("./api.js").Device} Device */

/** null: it is not known to the server, or not in scope. @type {Map<string, import("@preact/signals").Signal<Device | null | undefined>>} */
const devices = new Map();

const refetcher = new Refetcher(async (id) => {
  try {
    remember(await get(path`/v1/devices/${id}`));
  } catch (error) {
    const found = devices.get(id);
    if (found !== undefined && error instanceof ApiProblem && error.status === 404) found.value = null;
  }
});

let isSubscribed = false;

/**
 * A device; undefined while it is read, null if there is none. A component that calls this is drawn again when the
 * device changes.
 * @param {string} id
 */
export function knownDevice(id) {
  let found = devices.get(id);
  if (found === undefined) {
    found = signal(/** @type {Device | null | undefined} */ (undefined));
    devices.set(id, found);
    refetcher.ask(id);
    follow();
  }
  return found.value;
}

/**
 * What people call a device: its name, else its serial number, else its id.
 * @param {string} id
 */
export function deviceName(id) {
  const device = knownDevice(id);
  return visible(device?.name || device?.facts["serial"] || id);
}

/**
 * Keep a device that was read elsewhere.
 * @param {Device} device
 */
export function remember(device) {
  const found = devices.get(device.id);
  if (found === undefined) devices.set(device.id, signal(/** @type {Device | null | undefined} */ (device)));
  else found.value = device;
  follow();
}

/** @param {string} id */
export function devicePath(id) {
  return `/devices/${encodeURIComponent(id)}`;
}

function follow() {
  if (isSubscribed) return;
  isSubscribed = true;
  subscribe({
    onEvents: (events) => {
      for (const { type, device } of events) {
        if (type.startsWith("device.") && device !== null && devices.has(device)) refetcher.ask(device);
      }
    },
    onReset: () => {
      for (const id of devices.keys()) refetcher.ask(id);
    },
  });
}
