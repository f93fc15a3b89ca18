/** The form that logs in with a token. */
import { html } from "htm/preact";
import { useSignal } from "@preact/signals";
import { ApiProblem } from "../api.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Field } from "../components/field.js";
import { t } from "../messages.js";
import { logIn } from "../session.js";

/** A field for the token, and a button. */
export function LogInForm() {
  const token = useSignal("");
  const error = useSignal("");
  const act = useAct(async () => {
    error.value = "";
    try {
      await logIn({ token: token.value.trim() });
    } catch (fault) {
      if (!(fault instanceof ApiProblem) || fault.status >= 500) throw fault;
      error.value = fault.status === 401 ? t("login.wrong") : fault.message;
    }
  });
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (token.value.trim() === "") error.value = t("login.empty");
    else void act.start();
  };
  return html`<form class="form" onSubmit=${onSubmit} novalidate>
    <${Field}
      type="password"
      label=${t("login.token")}
      hint=${t("login.hint")}
      value=${token.value}
      onChange=${(/** @type {string} */ text) => (token.value = text)}
      error=${error.value}
      autocomplete="current-password"
      spellcheck="false"
      autofocus
    />
    <div class="act"><${Button} kind="main" type="submit" class="large" busy=${act.busy}>${t("login.go")}<//><${Outcome} act=${act} /></div>
  </form>`;
}
