/**
 * A strip of presence over time: online is a thin line at the foot, offline a full block, signed off an outlined half
 * block, not known a hairline. It is legible without colour; the label says it as a sentence.
 */
import { html } from "htm/preact";

/**
 * @typedef {import("./strip-spans.js").Span} Span
 * @typedef {{at: number, kind: "" | "bad" | "doubt"}} Tick a command
 */

const WIDTH = 960;
const LINES = [1, 2, 3];

/** @type {Record<Span["kind"], {name: string, y: number, height: number, least: number}>} */
const SHAPES = {
  online: { name: "on", y: 15, height: 3, least: 1 },
  offline: { name: "off", y: 2, height: 16, least: 4 },
  signed_off: { name: "out", y: 8, height: 10, least: 3 },
  none: { name: "none", y: 16, height: 1, least: 1 },
};

/**
 * @param {{spans: readonly Span[], ticks?: readonly Tick[], label: string}} props spans without gaps, oldest first
 */
export function Strip({ spans, ticks = [], label }) {
  const start = spans[0]?.from ?? 0;
  const end = spans.at(-1)?.to ?? 1;
  const x = (/** @type {number} */ at) => ((at - start) / (end - start)) * WIDTH;
  return html`<svg class="strip" viewBox="0 0 ${WIDTH} 20" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${LINES.map((line) => html`<line class="grid" x1=${line * 240} x2=${line * 240} y1="0" y2="20" />`)}
    ${spans.map((span) => {
      const { name, y, height, least } = SHAPES[span.kind];
      const width = Math.max(x(span.to) - x(span.from) - 1, least);
      return html`<rect class=${name} x=${Math.min(x(span.from), WIDTH - least)} y=${y} width=${width} height=${height} />`;
    })}
    ${ticks.map(
      (tick) =>
        html`<rect class=${`tick ${tick.kind}`} x=${x(tick.at)} y=${tick.kind ? 0 : 2} width="3" height=${tick.kind ? 12 : 8} />`,
    )}
  </svg>`;
}
