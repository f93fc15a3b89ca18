/** Text of devices and people, made safe to read: it may be hostile, and is never markup. */

/** C0 and C1 control characters, and those that change the direction of text. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]/g;

/** Letters that are written from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]|[\ud802-\ud803\ud83a-\ud83b][\udc00-\udfff]/;

/**
 * Text with its control characters as pictures.
 * @param {unknown} value
 */
export function visible(value) {
  return String(value).replace(UNSEEN, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/**
 * Text as a part of a sentence, whose direction it must not change.
 * @param {unknown} value
 */
export function isolated(value) {
  const text = visible(value);
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}
