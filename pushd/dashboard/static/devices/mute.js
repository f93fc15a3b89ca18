/** Raise no alerts about some devices for a while. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { post } from "../api.js";
import { now } from "../clock.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { Field } from "../components/field.js";
import { toast } from "../components/toast.js";
import { duration, when } from "../format.js";
import { t } from "../messages.js";

const HOURS = [1, 8, 24, 168];
const HOUR = 3600_000;

/** What stands for a time that is typed. */
const UNTIL = "until";

/**
 * @param {{devices: readonly string[], name: string, onClose: () => void}} props name: what is muted, in words
 */
export function MuteDialog({ devices, name, onClose }) {
  const span = useSignal("8");
  const time = useSignal(localTime(now() + 24 * HOUR));
  const until = span.value === UNTIL ? Date.parse(time.value) : now() + Number(span.value) * HOUR;
  const act = useAct(async (key) => {
    const text = new Date(until).toISOString();
    await post("/v1/devices/mute", { devices, until: text }, { key });
    onClose();
    toast(t("mute.done", { name, time: when(text) }));
  });
  const isLater = until > now();
  return html`<${Dialog} title=${t("mute.title", { name })} onClose=${onClose}>
    <p class="soft">${t("mute.what")}</p>
    <${Field}
      type="select"
      label=${t("mute.for")}
      value=${span.value}
      options=${[...HOURS.map((each) => [String(each), duration(each * 3600)]), [UNTIL, t("mute.until")]]}
      onChange=${(/** @type {string} */ value) => (span.value = value)}
    />
    ${span.value === UNTIL &&
    html`<${Field} type="datetime-local" label=${t("mute.time")} error=${isLater ? "" : t("mute.past")} value=${time.value} onChange=${(/** @type {string} */ value) => (time.value = value)} />`}
    <div class="act">${isLater && html`<${Button} kind="main" busy=${act.busy} onClick=${act.start}>${t("act.mute")}<//>`}<${Outcome} act=${act} /></div>
  <//>`;
}

/**
 * A time as a field has it: of this zone, to the minute.
 * @param {number} at
 */
function localTime(at) {
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
