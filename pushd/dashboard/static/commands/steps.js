/**
 * What happened to a command, step by step: from its events, and where these are not kept any more, from its own times.
 *
 * @typedef {import("../api.js").ApiEvent} ApiEvent
 * @typedef {import("../api.js").Command} Command
 * @typedef {import("../messages.js").Key} Key
 * @typedef {Command["state"] | "resolved"} StepKind
 * @typedef {object} CommandStep
 * @property {StepKind} kind
 * @property {string} at
 * @property {string | null} by
 * @property {Record<string, any>} data of the event
 */

/**
 * @param {Command} command
 * @param {readonly ApiEvent[]} events of the device, oldest first
 * @returns {CommandStep[]}
 */
export function stepsOf(command, events) {
  const steps = events
    .filter((event) => event.command === command.id && event.type.startsWith("command."))
    .map(({ type, at, by, data }) => ({ kind: /** @type {StepKind} */ (type.slice("command.".length)), at, by, data }));
  return steps[0]?.kind === "queued" ? steps : stepsFromTimes(command);
}

/**
 * @param {Command} command
 * @returns {CommandStep[]}
 */
function stepsFromTimes(command) {
  const step = (/** @type {StepKind} */ kind, /** @type {string | null} */ at, by = /** @type {string | null} */ (null), data = {}) =>
    at === null ? [] : [{ kind, at, by, data }];
  const end = command.finished_at === null ? [] : step(command.state, command.finished_at, null, { error: command.error, late: command.late });
  return [
    ...step("queued", command.created_at, command.created_by),
    ...step("sent", command.sent_at, null, { attempt: command.attempts }),
    ...step("acknowledged", command.acknowledged_at),
    ...end,
  ];
}

/**
 * The time from the first step to the last, in parts: waiting for the device, and with the device.
 * @typedef {{kind: "waiting" | "out", from: number, to: number, outcome: StepKind}} Part milliseconds
 * @param {readonly CommandStep[]} steps
 * @param {number} now milliseconds; a command that has not ended lasts until now
 * @returns {Part[]}
 */
export function partsOf(steps, now) {
  /** @type {Part[]} */
  const parts = [];
  steps.forEach((step, index) => {
    if (!["queued", "sent", "acknowledged"].includes(step.kind)) return;
    const next = steps[index + 1];
    const from = Date.parse(step.at);
    const to = Math.max(from, next === undefined ? now : Date.parse(next.at));
    const kind = step.kind === "queued" ? "waiting" : "out";
    const last = parts.at(-1);
    const outcome = next?.kind ?? step.kind;
    if (last?.kind === kind && last.to === from) Object.assign(last, { to, outcome });
    else parts.push({ kind, from, to, outcome });
  });
  return parts;
}

/**
 * The widths of parts on a logarithmic scale, which add up to 1: a command may take milliseconds or days.
 * @param {readonly Part[]} parts
 * @returns {number[]}
 */
export function widths(parts) {
  const lengths = parts.map((part) => Math.log2(2 + (part.to - part.from)));
  const all = lengths.reduce((sum, each) => sum + each, 0);
  return lengths.map((each) => each / all);
}
