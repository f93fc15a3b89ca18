/** The models of Control iD, which decide how a door is opened. */

/** Those that are known; others may be typed. */
export const MODELS = ["iDAccess", "iDFit", "iDBox", "iDFlex", "iDFace", "iDAccess Pro", "iDAccess Nano", "iDBlock"];

const KNOWN = new Set(MODELS.map(plain));

/**
 * Whether it is known how a device opens: by its model, or because an admin wrote it down.
 * @param {Pick<import("../api.js").Device, "facts">} device
 */
export function knowsHowToOpen({ facts }) {
  return facts["opens_with"] !== undefined || KNOWN.has(plain(String(facts["model"] ?? "")));
}

/** @param {string} model */
function plain(model) {
  return model.toLowerCase().replace(/[\s-]/g, "");
}
