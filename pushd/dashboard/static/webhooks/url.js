/** URLs of webhooks: they are all that is needed to post to a receiver, so pages show them in part. */

/** Characters that are shown of the end. */
const SHOWN = 4;

/**
 * A URL with its host and its last four characters alone, as lists of the API have it.
 * @param {string} url
 */
export function maskedUrl(url) {
  const base = /^https?:\/\/[^/?#]*/i.exec(url)?.[0] ?? "";
  const rest = url.slice(base.length);
  if (rest === "" || rest === "/" || rest.startsWith("/***")) return url;
  return `${base}/***${rest.slice(1).slice(-SHOWN)}`;
}
