/**
 * Reads and writes members of JSON by the paths of the catalogue: `push_server.timeout`, `actions[].action`.
 * `[]` stands for the only item of a list; a list with more items is more than a form shows.
 */

/**
 * The member at a path; undefined: there is none.
 * @param {unknown} value
 * @param {string} path
 * @returns {unknown}
 */
export function readPath(value, path) {
  return steps(path).reduce(
    (/** @type {any} */ at, step) => (at === null || typeof at !== "object" ? undefined : at[step]),
    value,
  );
}

/**
 * A copy with another member at a path; undefined takes it out, and what is empty then.
 * @param {unknown} value
 * @param {string} path
 * @param {unknown} member
 * @returns {unknown}
 */
export function writePath(value, path, member) {
  return write(value, steps(path), member);
}

/**
 * Whether paths reach everything that is in a value, so that a form shows all of it.
 * @param {unknown} value
 * @param {readonly string[]} paths
 * @returns {boolean}
 */
export function isCovered(value, paths) {
  return covers(value, "", new Set(paths));
}

/** @param {string} path @returns {(string | number)[]} */
function steps(path) {
  return path.split(".").flatMap((part) => (part.endsWith("[]") ? [part.slice(0, -2), 0] : [part]));
}

/**
 * @param {unknown} value
 * @param {(string | number)[]} way
 * @param {unknown} member
 * @returns {unknown}
 */
function write(value, way, member) {
  const [step, ...rest] = way;
  if (step === undefined) return member;
  const inner = write(
    value !== null && typeof value === "object" ? /** @type {any} */ (value)[step] : undefined,
    rest,
    member,
  );
  if (typeof step === "number") {
    const items = Array.isArray(value) ? [...value] : [];
    if (inner === undefined) items.splice(step, 1);
    else items[step] = inner;
    return items.length ? items : undefined;
  }
  const copy = {
    .../** @type {object} */ (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {}),
  };
  /** @type {Record<string, unknown>} */ (copy)[step] = inner;
  if (inner === undefined) delete (/** @type {Record<string, unknown>} */ (copy)[step]);
  return Object.keys(copy).length || way.length === 0 ? copy : undefined;
}

/**
 * @param {unknown} value
 * @param {string} path
 * @param {Set<string>} paths
 * @returns {boolean}
 */
function covers(value, path, paths) {
  const isBelow = [...paths].some(
    (each) => each.startsWith(`${path}.`) || each.startsWith(`${path}[]`) || path === "",
  );
  if (!isBelow) return paths.has(path);
  if (Array.isArray(value)) return value.length <= 1 && value.every((item) => covers(item, `${path}[]`, paths));
  if (value === null || typeof value !== "object") return false;
  return Object.entries(value).every(([name, item]) => covers(item, path ? `${path}.${name}` : name, paths));
}
