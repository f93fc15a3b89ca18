/** Open one door, on a phone in front of it: one press, and then nothing but what is known. */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { announce } from "../announce.js";
import { get, patch, path } from "../api.js";
import { Decide, OPENING } from "../commands/decide.js";
import { Act, Button } from "../components/button.js";
import { Field } from "../components/field.js";
import { Empty, Loaded, Page } from "../components/page.js";
import { elapsed, when } from "../format.js";
import { Icon } from "../icons.js";
import { devicePath } from "../known-devices.js";
import { READ_AGAIN, useLive } from "../live.js";
import { number, t, words } from "../messages.js";
import { can, mayChange, mayOpen } from "../session.js";
import { visible } from "../text.js";
import { ApproveDialog } from "./approve.js";
import { MODELS, knowsHowToOpen } from "./models.js";
import { isSettled } from "./open-state.js";
import { useOpening } from "./opening.js";

/**
 * @typedef {import("../api.js").Device} Device
 * @typedef {import("./open-state.js").Opening} Opening
 */

/** Milliseconds before it can be opened again, so that a second touch opens nothing. */
const REST = 2000;

/** Milliseconds of vibration. */
const SHAKE = 40;

/** @param {import("../route.js").PageProps} props */
export default function OpenPage({ params }) {
  const id = params["id"] ?? "";
  const at = path`/v1/devices/${id}`;
  const live = useLive(at, {
    load: (signal) => get(at, { signal }),
    apply: (data, event) => (event.device === id && event.type.startsWith("device.") ? READ_AGAIN : data),
  });
  const device = /** @type {Device | undefined} */ (live.data);
  const name = visible(device?.name || device?.facts["serial"] || id);
  return html`<${Page}
    title=${name}
    heading=${html`<bdi>${name}</bdi>`}
    crumb=${html`<a href=${devicePath(id)}>${t("open.back")}</a>`}
    lead=${device && html`<${Where} device=${device} />`}
  >
    <${Loaded} live=${live} show=${(/** @type {Device} */ found) => html`<${Door} device=${found} name=${name} onChanged=${live.read} />`} />
  <//>`;
}

/** Where it stands, and whether it can be reached, before anything is pressed.
 * @param {{device: Device}} props
 */
function Where({ device }) {
  const isOffline = device.admission === "approved" && device.presence === "offline";
  const state = {
    offline: device.last_seen_at ? t("open.offline_for", { duration: elapsed(device.last_seen_at) }) : t("presence.offline"),
    online: device.polling ? t("presence.polling") : t("presence.online"),
    signed_off: t("presence.signed_off"),
    never_seen: t("presence.never_seen"),
  }[device.presence];
  return html`<span class=${isOffline ? "bad" : ""}>${device.site && html`<bdi>${visible(device.site)}</bdi> · `}${state}</span>`;
}

/** @param {{device: Device, name: string, onChanged: () => void}} props */
function Door({ device, name, onChanged }) {
  if (device.dialect !== "controlid") return html`<${Empty}>${t("open.no_door")}<//>`;
  if (!mayOpen()) return html`<${Empty}>${t("open.not_allowed")}<//>`;
  if (device.admission !== "approved") return html`<${LetIn} device=${device} />`;
  if (!knowsHowToOpen(device)) {
    if (!can("admin")) return html`<${Empty}>${t("open.no_model_operator")}<//>`;
    return html`<${AskModel} device=${device} onChanged=${onChanged} />`;
  }
  return html`<${Opener} device=${device} name=${name} onChanged=${onChanged} />`;
}

/** A device that is not approved gets no command.
 * @param {{device: Device}} props
 */
function LetIn({ device }) {
  const isOpen = useSignal(false);
  const isPending = device.admission === "pending";
  const unblock = async () => void (await patch(path`/v1/devices/${device.id}`, { admission: "approved" }));
  return html`<${Empty}>
    <span>${isPending ? t("open.pending") : t("open.blocked")}</span>
    ${mayChange() && isPending && html`<${Button} kind="main" onClick=${() => (isOpen.value = true)}>${t("act.approve_dialog")}<//>`}
    ${mayChange() && !isPending && html`<${Act} run=${unblock}>${t("act.unblock")}<//>`}
    ${isOpen.value && html`<${ApproveDialog} device=${device} onClose=${() => (isOpen.value = false)} />`}
  <//>`;
}

/** The model decides how it opens.
 * @param {{device: Device, onChanged: () => void}} props
 */
function AskModel({ device, onChanged }) {
  const model = useSignal("");
  const store = async () => {
    await patch(path`/v1/devices/${device.id}`, { facts: { model: model.value } });
    onChanged();
  };
  return html`<div class="card pad form">
    <p>${t("open.no_model")}</p>
    <${Field}
      type="select"
      label=${t("device.model")}
      value=${model.value}
      options=${[["", "–"], ...MODELS.map((each) => [each, each])]}
      onChange=${(/** @type {string} */ value) => (model.value = value)}
    />
    ${model.value && html`<${Act} kind="main" run=${store}>${t("act.save")}<//>`}
  </div>`;
}

/** After a refusal of the device: perhaps it is another model, as it opens otherwise then.
 * @param {{device: Device, onChanged: () => void}} props
 */
function OtherModel({ device, onChanged }) {
  const isOpen = useSignal(false);
  if (!isOpen.value) return html`<${Button} kind="bare" onClick=${() => (isOpen.value = true)}>${t("open.other_model")}<//>`;
  return html`<${AskModel} device=${device} onChanged=${onChanged} />`;
}

/** @type {Record<import("./open-state.js").Phase, [kind: string, icon: import("../icons.js").IconName]>} */
const FACES = {
  idle: ["", "door"],
  asking: ["busy", "clock"],
  waiting: ["busy", "clock"],
  sent: ["busy", "sent"],
  opened: ["ok", "check"],
  not_opened: ["bad", "cross"],
  unknown: ["doubt", "unknown"],
  lost: ["calm", "warn"],
  refused: ["bad", "cross"],
};

/** The disc, what is known, and what can be done.
 * @param {{device: Device, name: string, onChanged: () => void}} props
 */
function Opener({ device, name, onChanged }) {
  const { opening, open, stop, reset } = useOpening(device.id);
  const last = useLastOpening(device.id);
  const [title, text] = said(opening, last);
  useOutcome(opening, name, title);
  const [kind, icon] = FACES[opening.phase];
  const isIdle = opening.phase === "idle";
  const isBusy = kind === "busy" || opening.phase === "lost";
  const mayBeOther = opening.reason === "device_failed" && can("admin");
  const changed = () => {
    reset();
    onChanged();
  };
  return html`<div class="open">
    <button
      type="button"
      id="open-door"
      class=${`disc ${kind}`}
      aria-disabled=${isIdle ? null : "true"}
      aria-label=${isIdle ? t("open.open_name", { name }) : title}
      onClick=${isIdle ? open : null}
    >
      <${Icon} name=${icon} />${isIdle && html`<span>${t("open.open")}</span>`} ${isBusy && html`<${Ring} key=${opening.trace} />`}
    </button>
    <div class="tell"><p class="big">${title}</p><p>${text}</p></div>
    <div class="foot"><${Foot} opening=${opening} onOpen=${open} onStop=${stop} onReset=${reset} /></div>
    ${mayBeOther && html`<${OtherModel} device=${device} onChanged=${changed} />`}
  </div>`;
}

/**
 * When it was opened last, and by whom; nothing before that is read, or if it never was.
 * @param {string} device its id
 */
function useLastOpening(device) {
  const query = { device, state: "succeeded", endpoint: OPENING, limit: 1 };
  const { data } = useLive(JSON.stringify(query), {
    load: async (signal) => /** @type {import("../api.js").CommandSummary[]} */ ((await get("/v1/commands", { query, signal })).items),
    apply: (items, event) => (event.device === device && /^command\.(succeeded|resolved)$/.test(event.type) ? READ_AGAIN : items),
  });
  const [last] = data ?? [];
  return last?.finished_at ? words("open.last", { time: when(last.finished_at), by: visible(last.created_by ?? "–") }) : "";
}

/** What is left of the ten seconds. */
function Ring() {
  return html`<svg class="ring" viewBox="0 0 228 228" aria-hidden="true">
    <circle class="track" cx="114" cy="114" r="110" /><circle class="left" cx="114" cy="114" r="110" pathLength="1" />
  </svg>`;
}

/** Say an outcome, and let it be felt.
 * @param {Opening} opening
 * @param {string} name
 * @param {string} title
 */
function useOutcome({ phase }, name, title) {
  useEffect(() => {
    if (phase === "idle") return;
    announce(t("open.said", { name, outcome: title }));
    if (phase === "opened" && navigator.userActivation?.hasBeenActive) navigator.vibrate?.(SHAKE);
  }, [phase]);
}

/**
 * What is known, in words: a heading and a sentence.
 * @param {Opening} opening
 * @param {unknown} last what is known of the opening before
 * @returns {[string, unknown]}
 */
function said(opening, last) {
  const { phase, byPerson, seconds, detail, canDecide, isTooLate } = opening;
  switch (phase) {
    case "idle":
      return ["", last];
    case "asking":
      return [t("open.asking"), ""];
    case "waiting":
      return [t("open.waiting"), mayChange() ? t("open.waiting_more") : t("open.waiting_only")];
    case "sent":
      return [t("open.sent"), isTooLate ? t("open.too_late") : t("open.sent_more")];
    case "opened":
      if (byPerson) return [t("open.opened"), t("open.by_person")];
      return [t("open.opened"), seconds === null ? t("open.opened_late") : t("open.opened_more", { t: number(seconds, { maximumFractionDigits: 1 }) })];
    case "not_opened":
      return [t("open.not"), byPerson ? t("open.by_person") : whyNot(opening)];
    case "unknown":
      return [t("open.unknown"), canDecide ? t("open.unknown_decide") : t("open.unknown_more")];
    case "lost":
      return [t("open.lost"), t("open.lost_more")];
    case "refused":
      return [t("open.not"), html`<span lang="en">${visible(detail)}</span>`];
  }
}

/** @param {Opening} opening */
function whyNot({ reason, detail }) {
  switch (reason) {
    case "device_failed":
      return detail ? words("open.failed_more", { error: visible(detail).slice(0, 200) }) : t("open.failed_only");
    case "device_offline":
      return t("open.offline_more");
    case "busy":
      return t("open.busy_more");
    case "pending":
      return t("open.pending");
    case "stopped":
      return t("open.stopped_more");
    case "not_arrived":
      return t("open.not_arrived_more");
    default:
      return t("open.not_sent_more");
  }
}

/** What can be done now.
 * @param {{opening: Opening, onOpen: () => void, onStop: () => Promise<void>, onReset: () => void}} props
 */
function Foot({ opening, onOpen, onStop, onReset }) {
  const { phase, command, canDecide, isTooLate } = opening;
  const what = command !== null && html`<a class="btn bare" href=${`/commands/${command}`}>${t("open.what")}</a>`;
  const isRested = useRested(isSettled(opening) ? opening.trace : "");
  if (phase === "waiting") return mayChange() && !isTooLate && html`<${Act} run=${onStop}>${t("act.stop")}<//>`;
  if (phase === "unknown") {
    const decided = { id: command ?? "", endpoint: "execute_actions", endpoints: null };
    return html`${canDecide && html`<div class="pair"><${Decide} command=${decided} kind="firm" /></div>`}
      <div class="pair">${what}<${Button} kind="bare" onClick=${onReset}>${t("open.leave")}<//></div>`;
  }
  if (!isSettled(opening) || !isRested) return null;
  return html`<${Button} onClick=${onOpen}>${phase === "opened" ? t("open.again") : t("act.again")}<//>${phase !== "opened" && what}`;
}

/**
 * Whether a moment has passed since an opening was settled.
 * @param {string} trace of the opening; "" while it is not
 */
function useRested(trace) {
  const rested = useSignal("");
  useEffect(() => {
    if (trace === "") return;
    const timer = setTimeout(() => (rested.value = trace), REST);
    return () => clearTimeout(timer);
  }, [trace]);
  return trace !== "" && rested.value === trace;
}
