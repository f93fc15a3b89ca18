/**
 * What needs a person, for Now and for the numbers in the navigation: read once for all pages, kept true by events.
 *
 * @typedef {import("../api.js").Alert} Alert
 * @typedef {import("../api.js").CommandSummary} CommandSummary
 * @typedef {import("../api.js").Device} Device
 * @typedef {import("../api.js").Rejection} Rejection
 * @typedef {import("../api.js").Webhook} Webhook
 * @typedef {import("../api.js").Schemas["Info"]} Info
 */
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { get } from "../api.js";
import { now } from "../clock.js";
import { READ_AGAIN, useLive } from "../live.js";
import { usePolling } from "../polling.js";
import { can, hasScope } from "../session.js";
import { setWaiting } from "../waiting.js";

/** Most rows of a group; a group shows a few of them at first. */
const MOST = 100;

/** Milliseconds between two readings of refusals, which are no events, and of the server's counts. */
const POLLED = 15_000;

/** A refusal that was not repeated for so many milliseconds is over. */
const RECENT = 3600_000;

/**
 * @template T
 * @typedef {{data: T | undefined, fault: unknown, readAt: number, read: () => void}} Reading
 */

/** @typedef {ReturnType<typeof useProblems>} Problems */

/** What was read; null before the frame is drawn. @type {import("@preact/signals").Signal<Problems | null>} */
export const problems = signal(null);

/** Read them; to be called once, by the frame. */
export function useProblems() {
  const alerts = useList(
    "/v1/alerts",
    { open: 1 },
    /^alert\./,
    byTime((/** @type {Alert} */ alert) => alert.raised_at),
  );
  const unknown = useList(
    "/v1/commands",
    { state: "unknown" },
    /^command\.(unknown|resolved|succeeded|failed|acknowledged)$/,
    byTime((/** @type {CommandSummary} */ command) => command.finished_at),
  );
  const pending = useList(
    "/v1/devices",
    { admission: "pending" },
    /^device\.(pending|approved|blocked|deleted|registered)$/,
    byTime((/** @type {Device} */ device) => device.created_at),
  );
  const refused = useRejections();
  const webhooks = useWebhooks();
  const info = useInfo();
  const found = { alerts, unknown, pending, refused, webhooks, info };
  useEffect(
    () => {
      problems.value = found;
      const outages = openOutages(found).length;
      const unknowns = unknown.data?.length ?? 0;
      const door = (pending.data?.length ?? 0) + (refused.data?.length ?? 0);
      setWaiting({
        problems: unknowns + outages + door + (webhooks.data?.length ?? 0),
        unknown: unknowns,
        alerts: outages,
      });
    },
    Object.values(found).flatMap((each) => [each.data, each.fault]),
  );
  return found;
}

/**
 * The alerts that are not acknowledged. Those of webhooks are shown with the webhook, to those who may see it.
 * @param {Pick<Problems, "alerts" | "webhooks">} found
 */
export function openOutages({ alerts, webhooks }) {
  const open = (alerts.data ?? []).filter((alert) => alert.acknowledged_at === null);
  return webhooks.data === undefined ? open : open.filter((alert) => alert.kind !== "webhook");
}

/**
 * A list, read again after events of some types.
 * @template T
 * @param {string} path
 * @param {import("../api.js").Query} query
 * @param {RegExp} events
 * @param {(items: T[]) => T[]} order
 * @returns {Reading<T[]>}
 */
function useList(path, query, events, order) {
  return useLive(path, {
    load: async (signal) => order((await get(path, { query: { ...query, limit: MOST }, signal })).items),
    apply: (data, event) => (events.test(event.type) ? READ_AGAIN : data),
  });
}

/**
 * The longest first.
 * @template T
 * @param {(item: T) => string | null} time
 * @returns {(items: T[]) => T[]}
 */
function byTime(time) {
  return (items) => items.sort((one, other) => (time(one) ?? "").localeCompare(time(other) ?? ""));
}

/** Whether refusals are shown to this log-in. */
export function maySeeRejections() {
  return can("operator") && !hasScope();
}

/** Refusals of the last hour; those of devices that an operator blocked are as they should be.
 * @returns {Reading<Rejection[]>}
 */
function useRejections() {
  const allowed = maySeeRejections();
  const found = useLive(`rejections ${allowed}`, {
    load: async (signal) => {
      if (!allowed) return [];
      const { items } = await get("/v1/rejections", { signal });
      const recent = items.filter(
        (/** @type {Rejection} */ each) => each.reason !== "blocked" && now() - Date.parse(each.last_at) < RECENT,
      );
      return byTime((/** @type {Rejection} */ each) => each.first_at)(recent);
    },
  });
  usePolling(found.read, POLLED, allowed);
  return found;
}

/** Webhooks that fail or are disabled.
 * @returns {Reading<Webhook[] | undefined>}
 */
function useWebhooks() {
  const allowed = can("admin");
  return useLive(`webhooks ${allowed}`, {
    load: async (signal) => {
      if (!allowed) return undefined;
      const { items } = await get("/v1/webhooks", { query: { limit: MOST }, signal });
      return byTime((/** @type {Webhook} */ each) => each.failing_since)(
        items.filter((/** @type {Webhook} */ each) => each.failing_since !== null || each.disabled_at !== null),
      );
    },
    apply: (data, event) => (/^(webhook|alert)\./.test(event.type) ? READ_AGAIN : data),
  });
}

/** The server and its counts; an event that changes them is followed by many, so it is read at intervals.
 * @returns {Reading<Info>}
 */
function useInfo() {
  const found = useLive("info", {
    load: (signal) => get("/v1/info", { signal }),
    apply: (data, event) =>
      /^device\.(pending|approved|blocked|deleted|registered)$/.test(event.type) ? READ_AGAIN : data,
  });
  usePolling(found.read, POLLED);
  return found;
}
