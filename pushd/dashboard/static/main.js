/** Starts the dashboard: who is logged in decides between the log-in page and the frame. */
import { html, render } from "htm/preact";
import { useEffect } from "preact/hooks";
import { effect, useSignal } from "@preact/signals";
import { startTicking } from "./clock.js";
import { Button } from "./components/button.js";
import { focusFinder } from "./components/finder.js";
import { Frame } from "./frame.js";
import { startKeys } from "./keys.js";
import { invite, takeInvite } from "./login/invite.js";
import { LogInPage } from "./login/page.js";
import { preferredLanguage, t, useLanguage } from "./messages.js";
import { address, go, startRouting } from "./route.js";
import { resume, session } from "./session.js";
import { startTheme } from "./theme.js";

/** The log-in page or the frame. */
function App() {
  const state = useSignal(/** @type {"asking" | "asked" | "away"} */ ("asking"));
  const ask = async () => {
    state.value = "asking";
    try {
      await resume();
      state.value = "asked";
    } catch {
      state.value = "away";
    }
  };
  useEffect(() => void ask(), []);
  const isLogIn = address.value.pathname === "/login";
  const me = session.value;
  const isDone = me !== null && isLogIn && invite.value === "";
  useEffect(() => {
    if (isDone) go("/", { replace: true });
  }, [isDone]);
  if (state.value === "asking") return null;
  if (state.value === "away") {
    return html`<div class="alone"><main><h1>pushd</h1><p>${t("error.away_read")}</p><${Button} onClick=${ask}>${t("act.again")}<//></main></div>`;
  }
  return me === null || isLogIn ? html`<${LogInPage} />` : html`<${Frame} />`;
}

startTheme();
startTicking();
startRouting();
effect(takeInvite);
startKeys(focusFinder);
await useLanguage(preferredLanguage());
const root = document.getElementById("app");
if (root !== null) render(html`<${App} />`, root);
