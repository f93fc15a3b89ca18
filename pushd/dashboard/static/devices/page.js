/** How one device is, and what can be done with it. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { get, patch, path } from "../api.js";
import { tick } from "../clock.js";
import { Act, Button } from "../components/button.js";
import { Loaded, Page } from "../components/page.js";
import { Status, stateOf } from "../components/status.js";
import { when } from "../format.js";
import { Icon } from "../icons.js";
import { areKeysOn, isTyped } from "../keys.js";
import { devicePath } from "../known-devices.js";
import { READ_AGAIN, useLive } from "../live.js";
import { t } from "../messages.js";
import { can, mayChange, mayOpen, session } from "../session.js";
import { visible } from "../text.js";
import { ApproveDialog } from "./approve.js";
import { CommandsCard, useCommands } from "./commands.js";
import { FactsCard } from "./facts.js";
import { ForgetDialog } from "./forget.js";
import { MuteDialog } from "./mute.js";
import { PresenceCard } from "./presence.js";
import { ProofCard } from "./proof.js";
import { SendCard } from "./send.js";
import { TroubleCard } from "./trouble.js";

/** @typedef {import("../api.js").Device} Device */

/** @param {import("../route.js").PageProps} props */
export default function DevicePage({ params }) {
  const id = params["id"] ?? "";
  const at = path`/v1/devices/${id}`;
  const live = useLive(at, {
    load: (signal) => get(at, { signal }),
    apply: (data, event) => (event.device === id ? READ_AGAIN : data),
  });
  useReading(live.read);
  const device = /** @type {Device | undefined} */ (live.data);
  const name = visible(device?.name || device?.facts["serial"] || id);
  return html`<${Page}
    title=${name}
    heading=${html`<bdi>${name}</bdi>`}
    crumb=${html`<a href="/devices">${t("nav.devices")}</a>${device?.site && html` / <a href=${`/devices?site=${encodeURIComponent(device.site)}`}><bdi>${visible(device.site)}</bdi></a>`}`}
    lead=${device && html`<${Lead} device=${device} />`}
    acts=${device && html`<${Acts} device=${device} name=${name} onChanged=${live.read} />`}
  >
    <${Loaded} live=${live} rows=${8} show=${(/** @type {Device} */ found) => html`<${Body} device=${found} onChanged=${live.read} />`} />
  <//>`;
}

/** Whether it polls is no event: the device is read again with the clock of the page.
 * @param {() => void} read
 */
function useReading(read) {
  const last = useRef(tick.value);
  useEffect(() => {
    if (last.current === tick.value) return;
    last.current = tick.value;
    read();
  }, [tick.value]);
}

/** @param {{device: Device}} props */
function Lead({ device }) {
  const isMuted = device.muted_until !== null && Date.parse(device.muted_until) > Date.now();
  const model = device.facts["model"];
  const serial = device.facts["serial"];
  const parts = [
    device.polling && device.admission === "approved" && t("presence.polling"),
    model !== undefined && html`<bdi>${visible(model)}</bdi>`,
    serial !== undefined && html`<bdi class="mono">${visible(serial)}</bdi>`,
    isMuted && t("device.muted", { time: when(device.muted_until ?? "") }),
  ];
  return html`<${Status} kind=${stateOf(device)} bare />${parts.filter(Boolean).map((part) => html` · ${part}`)}`;
}

/** @param {{device: Device, name: string, onChanged: () => void}} props */
function Acts({ device, name, onChanged }) {
  const shown = useSignal(/** @type {"approve" | "mute" | "forget" | null} */ (null));
  const show = (/** @type {"approve" | "mute" | "forget"} */ dialog) => () => (shown.value = dialog);
  const close = () => {
    shown.value = null;
    onChanged();
  };
  const set = (/** @type {object} */ changes) => async () => {
    await patch(path`/v1/devices/${device.id}`, changes);
    onChanged();
  };
  const isMuted = device.muted_until !== null && Date.parse(device.muted_until) > Date.now();
  const isOpening = mayOpen() && device.dialect === "controlid" && device.admission === "approved";
  return html`${mayChange() &&
    html`${isMuted
        ? html`<${Act} kind="bare" run=${set({ muted_until: null })}>${t("act.unmute")}<//>`
        : html`<${Button} kind="bare" icon="mute" onClick=${show("mute")}>${t("act.mute_dialog")}<//>`}
      ${device.admission === "blocked"
        ? html`<${Act} kind="bare" run=${set({ admission: "approved" })}>${t("act.unblock")}<//>`
        : html`<${Act} kind="bare" class="danger" run=${set({ admission: "blocked" })}>${t("act.block")}<//>`}
      ${device.admission === "pending" && html`<${Button} kind="main" onClick=${show("approve")}>${t("act.approve_dialog")}<//>`}`}
    ${can("admin") && html`<${Button} kind="bare" class="danger" onClick=${show("forget")}>${t("act.forget_dialog")}<//>`}
    ${isOpening && html`<${OpenLink} id=${device.id} />`}
    ${shown.value === "approve" && html`<${ApproveDialog} device=${device} onClose=${close} />`}
    ${shown.value === "mute" && html`<${MuteDialog} devices=${[device.id]} name=${name} onClose=${close} />`}
    ${shown.value === "forget" && html`<${ForgetDialog} device=${device} name=${name} onClose=${close} />`}`;
}

/** The way to the door; the key o goes to it, and does not press it.
 * @param {{id: string}} props
 */
function OpenLink({ id }) {
  const link = useRef(/** @type {HTMLAnchorElement | null} */ (null));
  useEffect(() => {
    const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "o" && areKeysOn.value && !isTyped(event) && !document.querySelector("dialog[open]")) link.current?.focus();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
  return html`<a ref=${link} class="btn main large" href=${`${devicePath(id)}/open`}><${Icon} name="door" />${t("open.open")}</a>`;
}

/** @param {{device: Device, onChanged: () => void}} props */
function Body({ device, onChanged }) {
  const commands = useCommands(device.id);
  const opened = useSignal("");
  const maySend = can("operator") && device.admission !== "blocked" && session.value?.endpoints?.join() !== "open";
  return html`<${PresenceCard} device=${device} commands=${commands.data?.items ?? []} isMore=${commands.data?.next != null} />
    <div class="two">
      <div class="col">
        <${CommandsCard} device=${device.id} live=${commands} opened=${opened.value} />
        ${maySend && html`<${SendCard} device=${device} onSent=${(/** @type {string} */ command) => (opened.value = command)} />`}
      </div>
      <div class="col">
        <${TroubleCard} device=${device} />
        <${FactsCard} device=${device} onChanged=${onChanged} />
        <${ProofCard} device=${device} onChanged=${onChanged} />
      </div>
    </div>`;
}
