/** The doors that this browser opened last. */
import { load, save } from "../storage.js";

const NAME = "doors";
const KEPT = 3;

/** Their ids, the last one first. @returns {string[]} */
export function recentDoors() {
  try {
    const found = JSON.parse(load(NAME) ?? "[]");
    return Array.isArray(found) ? found.filter((id) => typeof id === "string").slice(0, KEPT) : [];
  } catch {
    return []; // another program wrote it
  }
}

/**
 * A door was opened here.
 * @param {string} id of the device
 */
export function rememberDoor(id) {
  save(NAME, JSON.stringify([id, ...recentDoors().filter((each) => each !== id)].slice(0, KEPT)));
}
