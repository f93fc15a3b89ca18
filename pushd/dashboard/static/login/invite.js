/** An invitation: it stands in the fragment of the address, so that no server and no log sees it. */
import { signal } from "@preact/signals";
import { address, go } from "../route.js";

/** The invitation that was in the address; it is kept in memory alone, and spent only by the button. */
export const invite = signal("");

/** Take an invitation out of the address, at once. */
export function takeInvite() {
  const { hash, pathname } = address.value;
  const found = pathname === "/login" ? new URLSearchParams(hash.slice(1)).get("invite") : null;
  if (found === null) return;
  invite.value = found;
  go(pathname, { replace: true });
}
