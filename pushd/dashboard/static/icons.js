/** Icons: one path each, drawn in the colour of the text on a grid of 24. */
import { html } from "htm/preact";

const PATHS = {
  now: "M3 12h4l2-6 4 12 2-6h6",
  devices: "M6 3h12v18H6zM10 17h4M9 7h6v5H9z",
  commands: "M5 12h13M13 6l6 6-6 6",
  unknown: "M9 9.2a3 3 0 1 1 4.2 2.8c-.8.4-1.2.9-1.2 1.9M12 17.2v.1M12 2.5l9.5 9.5-9.5 9.5L2.5 12z",
  alerts: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4",
  webhooks: "M8 12a4 4 0 1 1 5-3.9L10 15M16 12a4 4 0 1 1-3.5 6M4 17a4 4 0 0 0 7.4 1H18",
  tokens: "M14.5 9.5a4.5 4.5 0 1 0-4 4.5L12 15.5h2v2h2v2h4v-3.6l-5.6-5.5M8 8v.1",
  people:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14a6 6 0 0 1 3.5 6",
  audit: "M6 3h9l4 4v14H6zM9 11h7M9 15h7M9 7h3",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  logout: "M4 21V3h9v18M3 21h11M17 8l4 4-4 4M20.5 12H9.5",
  search: "M10.5 17a6.5 6.5 0 1 1 0-13 6.5 6.5 0 0 1 0 13zM15.5 15.5L20 20",
  theme:
    "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  back: "M15 5l-7 7 7 7",
  online: "M12 17.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM12 12h.01",
  offline: "M5 5h14v14H5zM5 19L19 5",
  signed_off: "M5 12h14",
  pending: "M12 3a9 9 0 0 1 9 9M21 12a9 9 0 0 1-4.5 7.8M12 21a9 9 0 0 1-9-9M3 12a9 9 0 0 1 4.5-7.8",
  check: "M4 12.5l5.2 5.2L20 7",
  cross: "M6 6l12 12M18 6L6 18",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2",
  sent: "M4 12h12M11 6l6 6-6 6M20 5v14",
  warn: "M12 4l9.5 16.5h-19zM12 10v5M12 17.6v.1",
  refused: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.6 5.6l12.8 12.8",
  flapping: "M3 15h3V8h4v8h4V8h4v7h3",
  door: "M5 21V3h11v18M3 21h18M12.5 12h.01",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  mute: "M6 16V11a6 6 0 0 1 9-5.2M18 11v5l1.5 2h-15M4 4l16 16",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
};

/** @typedef {keyof typeof PATHS} IconName */

/**
 * An icon; words beside it say what it means.
 * @param {{name: IconName, kind?: string}} props kind: a colour of state, such as "bad"
 */
export function Icon({ name, kind = "" }) {
  return html`<svg viewBox="0 0 24 24" class=${`icon ${kind}`} aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
