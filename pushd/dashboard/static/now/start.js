/** A new server: three steps to the first door, each with a tick when it is done. */
import { html } from "htm/preact";
import { Copyable } from "../components/once.js";
import { Card } from "../components/page.js";
import { Icon } from "../icons.js";
import { t } from "../messages.js";

/**
 * @param {{info: import("./problems.js").Info}} props
 */
export function FirstSteps({ info }) {
  const { counts } = info;
  const addresses = "listen" in info ? deviceAddresses(info) : [];
  const hasCome = counts.devices > 0;
  const steps = [
    {
      isDone: hasCome,
      text: t("start.point"),
      more: addresses.map((each) => html`<${Copyable} label=${t("start.address")} value=${each} />`),
    },
    { isDone: hasCome, text: t("start.appears"), more: null },
    { isDone: false, text: t("start.approve"), more: null },
  ];
  return html`<${Card} title=${t("start.title")}>
    <ol class="pad form">
      ${steps.map(
        ({ isDone, text, more }) => html`<li class="step">
          <${Icon} name=${isDone ? "check" : "pending"} kind=${isDone ? "ok" : "muted"} />
          <div class="form"><span>${text}${isDone && html`<span class="sr"> ${t("start.done")}</span>`}</span>${more}</div>
        </li>`,
      )}
    </ol>
  <//>`;
}

/**
 * The addresses to which devices are pointed, as far as they are known: that of the option, else this host with the
 * ports of the server.
 * @param {Extract<import("./problems.js").Info, {listen: unknown}>} info
 * @returns {string[]}
 */
export function deviceAddresses(info) {
  const url = info.options?.["device-url"];
  if (typeof url === "string" && url) return [url];
  const endpoints = /** @type {Record<string, readonly string[]>} */ (info.listen)["devices"] ?? [];
  return endpoints.flatMap((endpoint) => {
    const found = /^(tcp|tcp6|ssl|tls):(?:port=)?(\d+)/.exec(endpoint);
    if (found === null) return [];
    return [`${found[1]?.startsWith("tcp") ? "http" : "https"}://${location.hostname}:${found[2]}`];
  });
}
