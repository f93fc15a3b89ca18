/** Forget a device: what follows from it is said before. */
import { html } from "htm/preact";
import { path, remove } from "../api.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Dialog } from "../components/dialog.js";
import { toast } from "../components/toast.js";
import { t } from "../messages.js";
import { go } from "../route.js";

/**
 * @param {{device: import("../api.js").Device, name: string, onClose: () => void}} props
 */
export function ForgetDialog({ device, name, onClose }) {
  const act = useAct(async () => {
    await remove(path`/v1/devices/${device.id}`);
    toast(t("forget.done", { name }));
    go("/devices");
  });
  return html`<${Dialog} title=${t("forget.title", { name })} onClose=${onClose}>
    <p>${t("forget.what")}</p>
    ${device.queue > 0 && html`<p>${t("forget.queue", { n: device.queue })}</p>`}
    ${device.in_flight > 0 && html`<p>${t("forget.out", { n: device.in_flight })}</p>`}
    <div class="act">
      <${Button} kind="danger" busy=${act.busy} onClick=${act.start}>${t("act.forget")}<//>
      <${Button} kind="bare" onClick=${onClose}>${t("act.cancel")}<//>
      <${Outcome} act=${act} />
    </div>
  <//>`;
}
