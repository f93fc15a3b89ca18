/**
 * The devices of a list, kept true by events. Each is a signal, so that a change draws the cells of its row alone.
 *
 * @typedef {import("../api.js").Device} Device
 * @typedef {{id: string, device: import("@preact/signals").Signal<Device>}} Row
 * @typedef {{state: string | null, site: string | null, model: string | null, tags: readonly string[]}} Narrowing state: as
 *   the chips name it; null and none: any
 */
import { signal } from "@preact/signals";
import { stateOf } from "../components/status.js";

/**
 * The rows of several readings, one after another; each device once, where it comes first.
 * @param {readonly (readonly Device[])[]} readings
 * @returns {Row[]}
 */
export function rowsOf(readings) {
  const devices = new Map(readings.flat().toReversed().map((device) => [device.id, device]));
  const ids = new Set(readings.flat().map((device) => device.id));
  return [...ids].map((id) => ({ id, device: signal(/** @type {Device} */ (devices.get(id))) }));
}

/** @type {Record<string, Partial<Device>>} */
const CHANGES = {
  "device.online": { presence: "online" },
  "device.offline": { presence: "offline", polling: false },
  "device.signed_off": { presence: "signed_off", polling: false },
  "device.pending": { admission: "pending" },
  "device.approved": { admission: "approved" },
  "device.blocked": { admission: "blocked", polling: false },
};

/**
 * A device after an event; null: the event does not say how it is now.
 * @param {Device} device
 * @param {{type: string, at: string}} event
 * @returns {Device | null}
 */
export function afterEvent(device, { type, at }) {
  const changes = CHANGES[type];
  if (changes === undefined) return null;
  const isSeen = type === "device.online" || type === "device.signed_off";
  return { ...device, ...changes, ...(isSeen && { last_seen_at: at }) };
}

/**
 * Whether a device still fits what narrows the list; what a search looks at is for the server to say.
 * @param {Pick<Device, "admission" | "presence" | "site" | "facts" | "tags">} device
 * @param {Narrowing} narrowing
 */
export function fits(device, { state, site, model, tags }) {
  return (
    (state === null || stateOf(device) === state) &&
    (site === null || device.site === site) &&
    (model === null || device.facts["model"] === model) &&
    tags.every((tag) => device.tags.includes(tag))
  );
}
