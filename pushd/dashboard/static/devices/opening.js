/**
 * Opens a door once for each press. The key of the press is kept for this tab, so that a lost connection or a reload
 * asks for the same opening again, and never for a second one.
 */
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ApiProblem, access, callOnce, get, newKey, path, post } from "../api.js";
import { isAborted } from "../faults.js";
import { subscribe } from "../feed.js";
import { forgetInTab, loadInTab, saveInTab } from "../storage.js";
import { IDLE, answered, asked, caughtUp, heard, isSettled, lookedUp, lost, refused } from "./open-state.js";
import { rememberDoor } from "./recent.js";

/**
 * @typedef {import("./open-state.js").Opening} Opening
 * @typedef {{key: string, trace: string, at: number}} Press
 */

/** Milliseconds for which a press is good: an older one is only looked up, as the person may have left the door. */
const GOOD_FOR = 30_000;

/** Milliseconds for which a press is remembered by the tab. */
const KEPT_FOR = 3600_000;

/** Milliseconds before the call is repeated; the last one from then on. */
const PAUSES = [1000, 2000, 4000];

/**
 * The opening of a door, and what can be done.
 * @param {string} device its id
 */
export function useOpening(device) {
  const state = useSignal(IDLE);
  const press = useRef(/** @type {Press | null} */ (null));
  const isGone = useRef(false);
  const isAsking = useRef(false);
  const change = (/** @type {Opening} */ next) => {
    if (next === state.peek()) return;
    state.value = next;
    if (isSettled(next)) forgetInTab(nameOf(device));
  };
  const isOver = (/** @type {Press} */ one) => isGone.current || press.current !== one || isSettled(state.peek());

  const follow = async (/** @type {Press} */ one) => {
    isAsking.current = true;
    await askUntilAnswered(one);
    isAsking.current = false;
  };
  const askUntilAnswered = async (/** @type {Press} */ one) => {
    for (let attempt = 0; !isOver(one); attempt++) {
      try {
        await ask(device, one, (next) => press.current === one && change(next(state.peek())));
        return;
      } catch (error) {
        if (isAborted(error)) return;
        if (error instanceof ApiProblem && error.status === 401 && (await access.renew())) continue; // the press may be old now
        if (error instanceof ApiProblem && error.status < 500) {
          if (press.current === one) change(refused(state.peek(), error.message));
          return;
        }
        if (press.current === one) change(lost(state.peek()));
        await pause(PAUSES[Math.min(attempt, PAUSES.length - 1)] ?? 0);
      }
    }
  };
  const catchUp = async (/** @type {Press} */ one) => {
    try {
      const command = await lookUp(device, one);
      if (press.current === one) change(caughtUp(state.peek(), command));
    } catch {
      // the call that waits says what is wrong
    }
  };
  const start = (/** @type {Press} */ one) => {
    press.current = one;
    change(asked(one.trace));
    void follow(one);
  };
  useEffect(() => {
    const stop = subscribe({
      onEvents: (events) => {
        for (const event of events) if (event.device === device) change(heard(state.peek(), /** @type {any} */ (event)));
      },
      onReset: () => {
        const one = press.current;
        if (one === null || isSettled(state.peek())) return;
        void (isAsking.current ? catchUp(one) : follow(one));
      },
    });
    const kept = readPress(device);
    if (kept !== null) start(kept);
    return () => {
      isGone.current = true;
      stop();
    };
  }, []);
  return {
    opening: state.value,
    open: () => {
      const { phase } = state.peek();
      if (phase !== "idle" && !isSettled(state.peek())) return; // one press, one opening
      const one = { key: newKey(), trace: `dashboard ${newKey().slice(0, 12)}`, at: Date.now() };
      saveInTab(nameOf(device), JSON.stringify(one));
      rememberDoor(device);
      start(one);
    },
    reset: () => {
      press.current = null;
      forgetInTab(nameOf(device));
      change(IDLE);
    },
    stop: async () => {
      const { command } = state.peek();
      if (command === null) return;
      change({ ...state.peek(), isStopping: true });
      if (await isSentAlready(command)) change({ ...state.peek(), isStopping: false, isTooLate: true });
    },
  };
}

/**
 * Ask to open it; a press that is old is only looked up.
 * @param {string} device
 * @param {Press} press
 * @param {(next: (opening: Opening) => Opening) => void} change
 */
async function ask(device, press, change) {
  if (Date.now() - press.at < GOOD_FOR) {
    const answer = await callOnce("POST", path`/v1/devices/${device}/open`, { body: { trace: press.trace }, key: press.key });
    change((opening) => answered(opening, answer));
  } else {
    const command = await lookUp(device, press);
    change((opening) => lookedUp(opening, command));
  }
}

/**
 * The command of a press; undefined: there is none.
 * @param {string} device
 * @param {Press} press
 */
async function lookUp(device, { trace }) {
  const { items } = await get("/v1/commands", { query: { device, trace, limit: 1 } });
  return items[0];
}

/**
 * Cancel a command; true: it was sent before.
 * @param {string} command
 */
async function isSentAlready(command) {
  try {
    return (await post(path`/v1/commands/${command}/cancel`)).state !== "cancelled";
  } catch (error) {
    if (error instanceof ApiProblem && error.type === "illegal-move") return true;
    throw error;
  }
}

/** @param {string} device */
function nameOf(device) {
  return `open ${device}`;
}

/**
 * The press of this tab that is not settled.
 * @param {string} device
 * @returns {Press | null}
 */
function readPress(device) {
  try {
    const found = JSON.parse(loadInTab(nameOf(device)) ?? "null");
    return found !== null && Date.now() - found.at < KEPT_FOR ? found : null;
  } catch {
    return null; // another program wrote it
  }
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
