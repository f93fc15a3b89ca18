/** The log-in page: a token, or an invitation in the fragment of the address, which is removed from it at once. */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { ApiProblem } from "../api.js";
import { Button, Outcome, useAct } from "../components/button.js";
import { Field } from "../components/field.js";
import { LANGUAGES, chooseLanguage, language, t } from "../messages.js";
import { logIn } from "../session.js";
import { LogInForm } from "./form.js";
import { invite } from "./invite.js";

/** Log in. */
export function LogInPage() {
  useEffect(() => {
    document.title = `${t("login.go")} · pushd`;
  });
  return html`<div class="alone">
    <main class="form">
      <h1>pushd</h1>
      <p class="soft">${location.host}</p>
      ${invite.value ? html`<${Invitation} />` : html`<${LogInForm} />`}
      <${Field}
        type="select"
        label=${t("frame.language")}
        options=${Object.entries(LANGUAGES)}
        value=${language()}
        onChange=${(/** @type {import("../messages.js").Language} */ name) => void chooseLanguage(name)}
      />
    </main>
  </div>`;
}

/** Log in with the invitation, unless it is an old one. */
function Invitation() {
  const isOld = useSignal(false);
  const act = useAct(async () => {
    try {
      await logIn({ invite: invite.peek() });
      invite.value = "";
    } catch (fault) {
      if (!(fault instanceof ApiProblem) || fault.status >= 500) throw fault;
      isOld.value = true;
    }
  });
  if (isOld.value) return html`<p role="alert">${t("login.old")}</p>`;
  return html`<p class="soft">${t("login.invited")}</p>
    <div class="act"><${Button} kind="main" class="large" busy=${act.busy} onClick=${act.start}>${t("login.accept")}<//><${Outcome} act=${act} /></div>`;
}
