/** Buttons, and acts: buttons that do something on the server and say what became of it beside them. */
import { html } from "htm/preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { announce } from "../announce.js";
import { newKey } from "../api.js";
import { actFault, isAborted } from "../faults.js";
import { Icon } from "../icons.js";
import { t } from "../messages.js";
import { session } from "../session.js";

/** No sign that a button is busy before so many milliseconds. */
const SLOW = 300;

/**
 * @typedef {object} ButtonProps
 * @property {"plain" | "main" | "bare" | "danger" | "firm"} [kind] at most one main a view
 * @property {boolean} [busy]
 * @property {import("../icons.js").IconName} [icon]
 * @property {string} [label] what an icon alone means
 * @property {"button" | "submit"} [type]
 * @property {string} [class]
 * @property {(event: Event) => void} [onClick]
 * @property {unknown} [children]
 */

/**
 * A button; while it is busy it keeps its width and its words, and cannot be pressed.
 * @param {ButtonProps & Record<string, unknown>} props
 */
export function Button({ kind = "plain", busy = false, icon, label, type = "button", onClick, children, ...rest }) {
  const isSlow = useSlow(busy);
  const names = ["btn", kind, isSlow ? "slow" : "", icon && !children ? "icon-only" : "", rest["class"] ?? ""];
  return html`<button
    ...${rest}
    type=${type}
    class=${names.filter(Boolean).join(" ")}
    aria-disabled=${busy ? "true" : null}
    aria-label=${label}
    title=${label}
    onClick=${busy ? prevent : onClick}
  >
    ${icon && html`<${Icon} name=${icon} />`}${children}
  </button>`;
}

/** @param {Event} event */
function prevent(event) {
  event.preventDefault();
}

/** @param {boolean} busy */
function useSlow(busy) {
  const isSlow = useSignal(false);
  useEffect(() => {
    const timer = busy ? setTimeout(() => (isSlow.value = true), SLOW) : 0;
    return () => {
      clearTimeout(timer);
      isSlow.value = false;
    };
  }, [busy]);
  return isSlow.value;
}

/**
 * State of an act: nothing is shown as done before the server has said so. A repetition of an act whose outcome is
 * not known carries the same key, so that it is the same act.
 * @param {(key: string) => Promise<string | void>} run returns what to say when it is done
 */
export function useAct(run) {
  const state = useSignal({ busy: false, said: "", fault: /** @type {import("../faults.js").Fault | null} */ (null) });
  const key = useRef("");
  const isGone = useRef(false);
  useEffect(() => () => void (isGone.current = true), []);
  const start = async () => {
    if (state.peek().busy) return;
    key.current ||= newKey();
    state.value = { busy: true, said: "", fault: null };
    try {
      const said = (await run(key.current)) ?? "";
      key.current = "";
      if (said) announce(said);
      if (!isGone.current) state.value = { busy: false, said, fault: null };
    } catch (error) {
      state.value = { busy: false, said: "", fault: null };
      const fault = isAborted(error) ? null : actFault(error, session.peek()?.role);
      if (fault !== null) announce(fault.text);
      if (!fault?.canRepeat) key.current = "";
      if (!isGone.current) state.value = { busy: false, said: "", fault };
    }
  };
  return { ...state.value, start, dismiss: () => (state.value = { busy: false, said: "", fault: null }) };
}

/**
 * A button that does something, with its outcome beside it.
 * @param {ButtonProps & {run: (key: string) => Promise<string | void>} & Record<string, unknown>} props
 */
export function Act({ run, children, ...rest }) {
  const act = useAct(run);
  return html`<span class="act">
    <${Button} ...${rest} busy=${act.busy} onClick=${act.start}>${children}<//>
    <${Outcome} act=${act} />
  </span>`;
}

/**
 * What became of an act.
 * @param {{act: ReturnType<typeof useAct>}} props
 */
export function Outcome({ act }) {
  if (act.fault === null) return act.said ? html`<span class="said">${act.said}</span>` : null;
  return html`<span class=${`said ${act.fault.kind}`}>${act.fault.text}</span>
    ${act.fault.canRepeat && html`<${Button} kind="bare" busy=${act.busy} onClick=${act.start}>${t("act.again")}<//>`}`;
}
